"""Pictures of several results of one image side by side, as in the paper's figures 6 to 8."""

from data_prep.files import atomic_path


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
    """
    from matplotlib.figure import Figure

    height, width = pictures[-1][1].shape[:2]
    figure = Figure(figsize=(4 * len(pictures), 4 * height / width + 0.8), layout="constrained")
    for axes, (caption, picture) in zip(figure.subplots(1, len(pictures), squeeze=False)[0], pictures):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(caption, fontsize=11)
        axes.set_axis_off()
    figure.suptitle(title)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
