"""shave as in the super-resolution test scripts."""

from ._checks import check_count, check_image


def shave(img, border):
    """Cut a frame off an image.

    Parameters
    ----------
    img : ndarray, (H, W) or more axes
        uint8, uint16, int16, float32, float64 or bool.
    border : int or (int, int)
        Pixels to cut on each side; a pair is for rows and columns. 0 cuts nothing.

    Returns
    -------
    ndarray
        A view of `img`, (H - 2 * border, W - 2 * border).

    Raises
    ------
    TypeError
        `border` is no integer or pair of integers, or another class of image.
    ValueError
        `border` below 0, or nothing would be left.

    Notes
    -----
    Source: shave.m of the same scripts.
    """
    img = check_image("shave", img)
    pair = tuple(border) if isinstance(border, (tuple, list)) else (border, border)
    if len(pair) != 2:
        raise TypeError(f"shave: border is {border!r}; expected an integer or a pair (rows, columns)")
    rows, columns = (check_count("shave", "border", size, 0) for size in pair)
    height, width = img.shape[:2]
    if 2 * rows >= height or 2 * columns >= width:
        raise ValueError(
            f"shave: img has shape {img.shape}, border is {border}; expected a border below half of each side; "
            "use a smaller border"
        )
    return img[rows : height - rows, columns : width - columns]
