"""The orientation that a camera noted."""

from PIL import Image

ORIENTATION = 0x0112


def orientation(content):
    """Orientation (int, 1 to 8) in a block of EXIF (bytes or None); 1 where it holds none or cannot be read."""
    if not content:
        return 1
    exif = Image.Exif()
    try:
        exif.load(content)
        return valid(exif.get(ORIENTATION))
    except Exception:  # odd metadata, for which Pillow has many exceptions, is no reason to refuse a picture
        return 1


def valid(value):
    """`value` when it is one of the eight orientations, else 1."""
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
