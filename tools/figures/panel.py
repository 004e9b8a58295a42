"""Pictures of several results of one image side by side, as in the paper's figures 6 to 8."""

from tools.figures import style


def side_by_side(pictures, path, *, title=""):
    """Draw pictures in a row, each with its caption, pixel by pixel.

    Parameters
    ----------
    pictures : list of (str, ndarray)
        Caption and picture, (H, W, 3) RGB or (H, W) gray, uint8; at least one. All are drawn equally high, so
        that an LR picture shows its pixels.
    path : Path
        A PNG or SVG; written atomically.
    title : str
        Above all of them.

    Returns
    -------
    Path
        `path`.
    """
    height, width = pictures[-1][1].shape[:2]
    with style.figure(2.4 * len(pictures), 2.4 * height / width + 0.6) as figure:
        for axes, (caption, picture) in zip(figure.subplots(1, len(pictures), squeeze=False)[0], pictures):
            style.show(axes, picture).set_title(caption)
        figure.suptitle(title)
        return style.save(figure, path)
