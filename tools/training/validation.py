"""The images whose PSNR tells how a training goes."""

import hashlib
from dataclasses import dataclass

from data_prep import images
from matlab_compat import im2uint8
from tools.methods import evaluation


@dataclass(frozen=True)
class Validation:
    """Validation images, read once.

    Attributes
    ----------
    name : str
        Of their folder.
    samples : list of evaluation.Sample
    bicubic : float
        Mean PSNR (dB) of bicubic interpolation on them; infinite where it makes no error, as in a flat image.
    sha256 : str
        Of the set, as data_prep.images.image_set_hash gives it.
    """

    name: str
    samples: list
    bicubic: float
    sha256: str


def read(folder, scale):
    """Read and prepare the images of a folder.

    Parameters
    ----------
    folder : Path
    scale : int

    Returns
    -------
    Validation

    Raises
    ------
    DataError
        The folder is missing or has no images, or one cannot be read.
    """
    samples, digests = [], []
    for path in images.list_images(folder):
        content = images.load(path)
        digests.append((path.name, hashlib.sha256(content).hexdigest()))
        pixels = im2uint8(images.picture_of(content, path).pixels)
        samples.append(evaluation.prepare(pixels, scale, name=path.name))
    scores = [evaluation.score(s.hr, im2uint8(s.base), scale, ("psnr",))["psnr"] for s in samples]
    return Validation(folder.name, samples, sum(scores) / len(scores), images.set_sha256(digests))
