"""modcrop as in the super-resolution test scripts."""

from ._checks import check_count, check_image


def modcrop(img, m):
    """Crop the last rows and columns so that height and width are multiples of `m`.

    Parameters
    ----------
    img : ndarray, (H, W) or more axes
        uint8, uint16, int16, float32, float64 or bool.
    m : int
        The scale, at least 1.

    Returns
    -------
    ndarray
        A view of `img`, (H - H % m, W - W % m).

    Raises
    ------
    TypeError
        `m` is no integer, or another class of image.
    ValueError
        `m` below 1, or an image smaller than `m`.

    Notes
    -----
    Source: modcrop.m, which every release of this field carries.
    """
    img = check_image("modcrop", img)
    m = check_count("modcrop", "m", m, 1)
    height, width = img.shape[0] - img.shape[0] % m, img.shape[1] - img.shape[1] % m
    if not height or not width:
        raise ValueError(
            f"modcrop: img has shape {img.shape}, m is {m}; expected at least {m} pixels a side; use a larger image"
        )
    return img[:height, :width]
