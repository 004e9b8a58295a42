"""The sizes of sub-images and the arithmetic of cutting: the one place where they stand.

An LR patch of n pixels gives m (n - 1) + 1 output pixels in Caffe's transposed convolution, which line up
with the HR patch of m n pixels from its row and column m - 1 on (paper, section 4.2). Hence HR = m LR - (m
- 1).
"""

import math
from dataclasses import dataclass

from data_prep.errors import DataError
from prototxt.scales import SCALES

STAGES = ("train", "finetune", "val")
# paper, Table 1, for train and finetune; the authors' release (train/generate_test_IDN.m) for val
LR_SIZES = {
    "train": {2: 29, 3: 15, 4: 11},
    "finetune": {2: 39, 3: 26, 4: 19},
    "val": {2: 16, 3: 11, 4: 11},
}
# mini-batch of the paper (section 4.2); the release's TEST phase takes 2
BATCHES = {"train": 64, "finetune": 64, "val": 2}
IMAGE_SETS = {"train": "291", "finetune": "291", "val": "Set5"}
# paper, section 4.1.1: rotations by multiples of 90 degrees, these factors, and a horizontal flip
ROTATIONS = (0, 1, 2, 3)
FACTORS = (1.0, 0.9, 0.8, 0.7, 0.6)
LARGEST_STRIDE = 2**31 - 1  # beyond any image, and what an attribute of the database holds


@dataclass(frozen=True)
class Geometry:
    """How the images of one stage are cut at one scale.

    Attributes
    ----------
    scale : int
        2, 3 or 4.
    stage : str
        "train", "finetune" or "val".
    lr_size, hr_size : int
        Sides of LR patch and of label and bicubic patch, in pixels.
    stride : int
        Step between LR patches in LR pixels; HR patches step scale times that.
    batch : int
        The number of pairs is truncated to a multiple of it.
    """

    scale: int
    stage: str
    lr_size: int
    hr_size: int
    stride: int
    batch: int

    @property
    def augmented(self):
        """Whether each image counts in 40 variants (training) or once (validation)."""
        return self.stage != "val"

    @property
    def pair_bytes(self):
        """Bytes of one LR patch, label and bicubic patch in float32."""
        return 4 * (self.lr_size**2 + 2 * self.hr_size**2)

    def grid(self, height, width):
        """Rows and columns of patches that fit into an HR image of this size (pixels)."""
        return tuple(self._along(side // self.scale) for side in (height, width))

    def _along(self, lr_side):
        return max(0, (lr_side - self.lr_size) // self.stride + 1)

    def patches(self, height, width):
        """Patches that each variant of an image of this size gives, in the order of `variant_shapes`."""
        shapes = variant_shapes(height, width) if self.augmented else [(height, width)]
        return [rows * columns for rows, columns in (self.grid(*shape) for shape in shapes)]


def geometry(scale, stage, stride=None):
    """The geometry of a stage.

    Parameters
    ----------
    scale : int
        2, 3 or 4.
    stage : str
        "train", "finetune" or "val"; "pretrain" uses the patches of "train".
    stride : int, optional
        Step between LR patches in LR pixels; None: the LR patch size, so that patches tile the image.

    Returns
    -------
    Geometry

    Raises
    ------
    DataError
        Unknown scale or stage, or a stride out of range.

    Notes
    -----
    The paper does not give a stride. The release's script steps by the patch size when it cuts for training
    (29 at x2); for fine-tuning it offers the size 39 and leaves its stride of 29 untouched, which may or
    may not be meant. Here the step is the patch size at every stage unless a stride is given.

    Source: paper, Table 1 and section 4.2; release, train/generate_train_IDN.m.
    """
    stage = "train" if stage == "pretrain" else stage
    if scale not in SCALES:
        raise DataError(f"scale {scale}: expected 2, 3 or 4")
    if stage not in STAGES:
        raise DataError(f"stage {stage!r}: expected pretrain, train, finetune or val")
    if stride is not None and not 1 <= stride <= LARGEST_STRIDE:
        raise DataError(f"stride {stride}: expected 1 or more LR pixels, at most {LARGEST_STRIDE}")
    lr_size = LR_SIZES[stage][scale]
    return Geometry(scale, stage, lr_size, scale * lr_size - (scale - 1), stride or lr_size, BATCHES[stage])


def variant_shapes(height, width):
    """Sizes (height, width) of the 40 variants of an image, in the order of `augment.luma_variants`.

    imresize gives ceil(factor x side) pixels (MATLAB); a quarter turn swaps the sides.
    """
    shapes = []
    for turns in ROTATIONS:
        sides = (width, height) if turns % 2 else (height, width)
        for factor in FACTORS:
            shape = tuple(math.ceil(factor * side) for side in sides)
            shapes += [shape, shape]
    return shapes
