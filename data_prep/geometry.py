"""The sizes of sub-images and the arithmetic of cutting: the one place where they stand.

An LR patch of n pixels gives m (n - 1) + 1 output pixels in Caffe's transposed convolution, which line up
with the HR patch of m n pixels from its row and column m - 1 on (paper, section 4.2). Hence HR = m LR - (m
- 1).
"""

import math
from dataclasses import dataclass
from pathlib import PurePath

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
LARGEST_STRIDE = 2**31 - 1  # beyond any image, and what an attribute of the database holds
FLIPS = ("", "lr", "ud")


@dataclass(frozen=True)
class Augmentation:
    """The variants of an image that are cut: every turn, at every size, with every flip, in this order.

    Attributes
    ----------
    turns : tuple of int
        Quarter turns.
    factors : tuple of float
        By which the image is made smaller.
    flips : tuple of str
        Of "" (none), "lr" (left-right) and "ud" (up-down).
    """

    turns: tuple = (0,)
    factors: tuple = (1.0,)
    flips: tuple = ("",)

    def __len__(self):
        return len(self.turns) * len(self.factors) * len(self.flips)


NONE = Augmentation()
# paper, section 4.1.1: rotations by multiples of 90 degrees, these factors, and a horizontal flip
VARIANTS = Augmentation((0, 1, 2, 3), (1.0, 0.9, 0.8, 0.7, 0.6), ("", "lr"))


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
    def name(self):
        """For messages (str)."""
        return f"x{self.scale} {self.stage}"

    @property
    def folder(self):
        """Of the database inside the output folder (PurePath): x3/train."""
        return PurePath(f"x{self.scale}", self.stage)

    @property
    def augmentation(self):
        """Each image counts in 40 variants in training, once in validation."""
        return NONE if self.stage == "val" else VARIANTS

    @property
    def sides(self):
        """Sides in pixels of the patches of each dataset: {name: int}."""
        return {"data": self.lr_size, "label": self.hr_size, "bic": self.hr_size}

    @property
    def image_side(self):
        """Sides that an image needs for one patch (int, pixels)."""
        return self.lr_size * self.scale

    def attributes(self):
        """What the database says of the cut (dict)."""
        return {
            "scale": self.scale, "stage": self.stage, "lr_size": self.lr_size, "hr_size": self.hr_size,
            "lr_stride": self.stride, "batch": self.batch,
        }  # fmt: skip

    def asked(self):
        """Those of `attributes` (dict) that tell whether a database is the one asked for."""
        return {"scale": self.scale, "stage": self.stage}

    def described(self):
        """How images are cut, for the user (str)."""
        sizes = f"LR {self.lr_size}x{self.lr_size}, HR {self.hr_size}x{self.hr_size}"
        return f"{self.name}: {sizes}, LR stride {self.stride}"

    def command(self):
        """Options (str) of tools/prepare_data.py that cut so."""
        return f"--scale {self.scale} --stage {self.stage} --stride {self.stride}"

    def grid(self, height, width):
        """Rows and columns of patches that fit into an HR image of this size (pixels)."""
        return tuple(self._along(side // self.scale) for side in (height, width))

    def _along(self, lr_side):
        return max(0, (lr_side - self.lr_size) // self.stride + 1)

    def patches(self, height, width):
        """Patches that each variant of an image of this size gives, in the order of `variant_shapes`."""
        shapes = variant_shapes(height, width, self.augmentation)
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


def patch_bytes(sides):
    """float32 bytes (int) of one patch of each dataset; `sides` is {name: side in pixels}."""
    return 4 * sum(side**2 for side in sides.values())


def variant_shapes(height, width, augmentation=VARIANTS):
    """Sizes (height, width) of the variants of an image, in the order of `augment.luma_variants`.

    imresize gives ceil(factor x side) pixels (MATLAB); a quarter turn swaps the sides.
    """
    shapes = []
    for turns in augmentation.turns:
        sides = (width, height) if turns % 2 else (height, width)
        for factor in augmentation.factors:
            shape = tuple(math.ceil(factor * side) for side in sides)
            shapes += [shape] * len(augmentation.flips)
    return shapes
