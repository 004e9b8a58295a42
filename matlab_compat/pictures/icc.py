"""ICC profiles: which fit the pixels, and CMYK to sRGB by them."""

import io

from PIL import ImageCms

# what a profile's header calls the colours of pixels with so many channels
_SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}


def fitting(profile, channels):
    """`profile` (bytes or None) when it is whole and for pixels of `channels` channels, else None."""
    if not profile or len(profile) < 132 or profile[36:40] != b"acsp" or profile[16:20] != _SPACES[channels]:
        return None
    size = int.from_bytes(profile[:4], "big")
    return bytes(profile[:size]) if 132 <= size <= len(profile) else None


def cmyk_to_rgb(profile):
    """Make the function that turns a Pillow image in CMYK into sRGB.

    Parameters
    ----------
    profile : bytes or None
        ICC profile of the CMYK colours. Without one that can be used the colours are converted as ink on white:
        R = (1 - C) (1 - K).

    Returns
    -------
    callable, Image -> Image
    """
    profile = fitting(profile, 4)
    if profile:
        try:
            return _transform(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a header without usable tables
    return lambda image: image.convert("RGB")


def _transform(profile):
    made = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "CMYK", "RGB")
    return lambda image: ImageCms.applyTransform(image, made)
