"""How the training data of the compared networks are cut: one entry for each database, with its source.

Three kinds of pairs. "interpolated": the enlarged image and the original, of one size, for networks that take the
interpolated image. "small": a piece of the LR image and of the original. "pyramid": pieces at random places, with a
label for each level of a Laplacian pyramid. IDN's own databases, which have a fourth form, are in geometry.py.

What a paper and a release leave out is chosen here, and the entry's comment says so.
"""

from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Optional

from data_prep.errors import DataError
from data_prep.geometry import LARGEST_STRIDE, NONE, Augmentation, variant_shapes
from prototxt.scales import SCALES

TURNS = (0, 1, 2, 3)
SIZES = (1.0, 0.9, 0.8, 0.7, 0.6)
EIGHT = Augmentation(TURNS, flips=("", "lr"))  # orientations: every turn and its mirror image
VALIDATION_SET, VALIDATION_BATCH = "Set5", 2
LARGEST_CROPS = 10**6


@dataclass(frozen=True)
class Sampling:
    """How the images of one stage are cut for one network.

    Attributes
    ----------
    key : str
        Of the entry: "vdsr".
    title : str
        The method, for the user.
    kind : str
        "interpolated", "small" or "pyramid".
    image_set : str
        The folder of the images, see `image_folder`.
    size, label : int
        Sides in pixels of a piece of the network's input and of the (largest) label.
    stride : int
        Between two pieces, in pixels of the input.
    batch : int
        Pairs in an iteration; their number is truncated to a multiple of it.
    augmentation : Augmentation
    mixed : bool
        The factors 2, 3 and 4 together in one database.
    margin : int
        Pixels of a "small" input on each side that the network, without padding, has no output for.
    late : int, optional
        Pixels of the result, behind those of the margin, before the first of a "small" input's label, for a network
        whose last layer is a transposed convolution: what its first output pixel is trained to be.
    crops : int
        Pieces of each image at random places ("pyramid").
    published : int, optional
        Pairs that the authors name or their files hold, before truncation.
    scales : tuple of int
        Factors in the database.
    stage : str
        "train", "finetune" or "val".
    """

    key: str
    title: str
    kind: str
    image_set: str
    size: int
    label: int
    stride: int
    batch: int
    augmentation: Augmentation = NONE
    mixed: bool = False
    margin: int = 0
    late: Optional[int] = None
    crops: int = 0
    published: object = None
    scales: tuple = ()
    stage: str = "train"

    # --- what Geometry has as well: the plan, the build and the checks take either ---------------------------------

    @property
    def name(self):
        """For messages (str): "VDSR x2+x3+x4 train"."""
        return f"{self.title} {'+'.join(f'x{scale}' for scale in self.scales)} {self.stage}"

    @property
    def folder(self):
        """Of the database inside the output folder (PurePath): vdsr/train, fsrcnn_x3/train."""
        return PurePath(self.key if self.mixed else f"{self.key}_x{self.scales[0]}", self.stage)

    @property
    def sides(self):
        """Sides in pixels of the patches of each dataset, the input first: {name: int}."""
        if self.kind != "pyramid":
            return {"data": self.size, "label": self.label}
        return {"data": self.size, **{f"level{k}_HR": self.label >> (k - 1) for k in self.levels}}

    @property
    def levels(self):
        """Numbers of a pyramid's levels, the coarsest and highest first (list of int)."""
        return list(range(self.scales[0].bit_length() - 1, 0, -1))

    @property
    def image_side(self):
        """Sides that an image needs for one patch (int, pixels)."""
        if self.kind == "pyramid":
            return 1  # a small one is enlarged
        return max(-(-self.size // m) * m if self.kind == "interpolated" else self.size * m for m in self.scales)

    def attributes(self):
        """What the database says of the cut (dict)."""
        augmentation = self.augmentation
        return {
            "method": self.key, "scales": " ".join(map(str, self.scales)), "stage": self.stage,
            "sides": ", ".join(f"{name} {side}" for name, side in self.sides.items()),
            "stride": self.stride, "batch": self.batch, "turns": " ".join(map(str, augmentation.turns)),
            "factors": " ".join(map(str, augmentation.factors)),
            "flips": " ".join(flip or "none" for flip in augmentation.flips), "crops": self.crops,
            **({} if self.late is None else {"late": self.late}),
        }  # fmt: skip

    def asked(self):
        """Those of `attributes` (dict) that tell whether a database is the one asked for."""
        names = ("method", "scales", "stage", *([] if self.late is None else ["late"]))
        return {name: self.attributes()[name] for name in names}

    def described(self):
        """How images are cut, for the user (str)."""
        sizes = ", ".join(f"{name} {side}x{side}" for name, side in self.sides.items())
        places = f"{self.crops} random places an image" if self.crops else f"stride {self.stride}"
        return f"{self.name}: {sizes}, {places}"

    def command(self):
        """Options (str) of tools/prepare_data.py that cut so."""
        scale = "" if self.mixed else f" --scale {self.scales[0]}"
        places = f"--crops {self.crops}" if self.crops else f"--stride {self.stride}"
        return f"--method {self.title}{scale} --stage {self.stage} {places}"

    def patches(self, height, width):
        """Pairs of each variant of an image of this size and each factor, in the order in which they are cut."""
        if self.kind == "pyramid":
            return [1] * self.crops
        shapes = variant_shapes(height, width, self.augmentation)
        return [rows * columns for shape in shapes for m in self.scales for rows, columns in [self.grid(m, *shape)]]

    def grid(self, scale, height, width):
        """Rows and columns of pieces that fit into an HR image of this size (pixels) at a factor."""
        unit = scale if self.kind == "interpolated" else 1  # pixels of the input in one of the LR image
        return tuple(max(0, (side // scale * unit - self.size) // self.stride + 1) for side in (height, width))


def _interpolated(key, title, image_set, size, stride, batch, label=None, **more):
    return Sampling(key, title, "interpolated", image_set, size, label or size, stride, batch, **more)


ENTRIES = {
    entry.key: entry
    for entry in (
        # TPAMI paper, section 4: "roughly 24,800" sub-images of the 91 images; release: the label is the middle of the
        # input, as large as the output of the unpadded net. The release's Caffe files have batches of 128
        _interpolated("srcnn_915", "SRCNN-9-1-5", "91", 33, 14, 128, 21, published=24_800),
        _interpolated("srcnn_955", "SRCNN", "91", 33, 14, 128, 17, published=24_800),
        # paper, section 4.2: f_sub 10, 7, 6 at x2, x3, x4 and labels of (f - 1) m + 1; the release gives two more
        # pixels on each side, which conv1 uses up without padding, and a stride of 4. 5 sizes x 4 rotations, no flips
        Sampling("fsrcnn", "FSRCNN", "small", "91", 0, 0, 4, 128, margin=2,
                 augmentation=Augmentation(TURNS, SIZES)),
        # paper, section 4.1: pieces of 17 LR pixels of the 91 images, so that "all pixels in the original image appear
        # once and only once as the ground truth". They do at a stride of 9 with labels of the 9 pixels that three
        # convolutions without padding leave; the stride that it gives, 17 less the sum of the kernels modulo 2, is 14
        Sampling("espcn", "ESPCN", "small", "91", 17, 0, 9, 64, margin=4),
        # paper, section 5.1: 41x41, three factors, "augmentation (rotation or flip)" without a count or a stride. Both
        # as in the public Caffe port (huangzehao/caffe-vdsr, data_aug.m): stride 41, 4 rotations, 5 sizes, no flips.
        # Its 935,840 iterations of 64 are 80 epochs of the 748,704 pairs that these images give
        _interpolated("vdsr", "VDSR", "291", 41, 41, 64, mixed=True, published=748_704,
                      augmentation=Augmentation(TURNS, SIZES)),
        # paper, section 5.1: 41x41 at stride 21 of the 91 images; no augmentation is named
        _interpolated("drcn", "DRCN", "91", 41, 21, 64),
        # paper, section 4: 50x50 pieces of 300 images, "about 0.5 million". The stride is not given: 8 makes 0.55
        # million of BSD's 300 images; the 291 images, 200 of which are BSD's, stand in for them
        _interpolated("red30", "RED30", "291", 50, 8, 64, published=500_000),
        # paper, section 4.1, and release: 128x128 at random places, sizes 0.5, 0.6 .. 1, turned, flipped. The release
        # draws new ones in every batch; a database holds 256 of each image, about as many bytes as IDN's
        Sampling("lapsrn", "LapSRN", "pyramid", "291", 0, 128, 1, 64, crops=256,
                 augmentation=Augmentation(TURNS, (0.5, 0.6, 0.7, 0.8, 0.9, 1.0), ("", "lr", "ud"))),
        # paper, section 4.2, and release: 31x31 at stride 21, 8 orientations, three factors; the released solver tests
        # every 6,536 iterations of 128, an epoch of 836,608 pairs. Stride 21 gives twice as many; --stride 31 gives the
        # 836,608 to the pair, so the released figure was not counted at the stride that paper and script name
        _interpolated("drrn", "DRRN", "291", 31, 21, 128, mixed=True, augmentation=EIGHT, published=836_608),
        # paper, section 5.1: as DRRN
        _interpolated("memnet", "MemNet", "291", 31, 21, 64, mixed=True, augmentation=EIGHT),
    )
}  # fmt: skip
# the methods of the benchmark that share a database with another, or have it by a longer name
OF_METHOD = {entry.title: entry.key for entry in ENTRIES.values()} | {
    "DRRN-B1U9": "drrn", "MemNet-M6R6": "memnet", "MemNet-M10R10": "memnet",
}  # fmt: skip
# folders of databases in an output folder, IDN's among them
FOLDERS = (
    *(f"x{m}" for m in SCALES),
    *(entry.key for entry in ENTRIES.values() if entry.mixed),
    *(f"{entry.key}_x{m}" for entry in ENTRIES.values() if not entry.mixed for m in SCALES),
)
# FSRCNN is fine-tuned on the 91 and the General-100 images together (paper, section 4.1): a folder of the user's
FINETUNE_SETS = {"fsrcnn": "191"}
# sides of FSRCNN's LR pieces without the margin (paper, section 4.2)
FSRCNN_SIZES = {2: 10, 3: 7, 4: 6}
# where the label of such a piece begins, behind the margin. The release's generate_train.m has the formula
# m (x + floor((f + 3) / 2)) - floor((label + m) / 2 - 1) for the first pixel, counted from 1, of the label of the piece
# at x: one pixel late at x3, none at x2 and x4. Its test script agrees: it shifts the result of x3 by one pixel. Both
# from copies of the release in public repositories
FSRCNN_LATE = {2: 0, 3: 1, 4: 0}
# validation crops of a pyramid an image: 80 of Set5, one batch
VALIDATION_CROPS = 16


def sampling(method, scale=None, stage="train", stride=None, crops=None):
    """How a method's data are cut.

    Parameters
    ----------
    method : str
        A name of OF_METHOD, in any case.
    scale : int, optional
        2, 3 or 4; without effect for a method that mixes the factors.
    stage : str
        "train", "val", and "finetune" for FSRCNN.
    stride : int, optional
        In pixels of the network's input; default: the authors'.
    crops : int, optional
        Pieces of each image at random places, for LapSRN; default: 256, in validation 16.

    Returns
    -------
    Sampling

    Raises
    ------
    DataError
        No such method, no data for this factor or stage, or a number out of range; the text says what there is.
    """
    entry = ENTRIES[_key(method)]
    _check(entry, scale, stage, stride, crops)
    if stage == "val":
        entry = replace(
            entry, augmentation=NONE, stride=entry.size or 1, image_set=VALIDATION_SET, published=None,
            batch=entry.batch if entry.kind == "pyramid" else VALIDATION_BATCH,
            crops=VALIDATION_CROPS if entry.crops else 0,
        )  # fmt: skip
    if stage == "finetune":
        entry = replace(entry, image_set=FINETUNE_SETS[entry.key])
    size, label = _sides(entry, scale)
    return replace(
        entry, size=size, label=label, stage=stage, scales=tuple(SCALES) if entry.mixed else (scale,),
        stride=stride or (size if stage == "val" else entry.stride), crops=crops or entry.crops,
        late=FSRCNN_LATE[scale] if entry.key == "fsrcnn" else None,
    )  # fmt: skip


def _key(method):
    names = {name.lower(): key for name, key in OF_METHOD.items()}
    if method.lower() not in names:
        raise DataError(f"method {method!r}: has no training data, expected IDN, {', '.join(OF_METHOD)}")
    return names[method.lower()]


def _check(entry, scale, stage, stride, crops):
    if not entry.mixed and scale not in SCALES:
        raise DataError(f"{entry.title}: scale {scale}: expected 2, 3 or 4")
    if entry.kind == "pyramid" and scale == 3:
        raise DataError(
            f"{entry.title}: has no recipe for x3, which its authors make of the x4 net's result; give --scale 4"
        )
    stages = ["train", *(["finetune"] if entry.key in FINETUNE_SETS else []), "val"]
    if stage not in stages:
        raise DataError(f"{entry.title}: stage {stage!r}: has {', '.join(stages)}")
    if stride is not None and entry.crops:
        raise DataError(f"{entry.title}: is cut at random places; give --crops instead of --stride")
    if stride is not None and not 1 <= stride <= LARGEST_STRIDE:
        raise DataError(f"stride {stride}: expected 1 or more pixels, at most {LARGEST_STRIDE}")
    if crops is not None and not entry.crops:
        raise DataError(f"{entry.title}: is cut at regular places; give --stride instead of --crops")
    if crops is not None and not 1 <= crops <= LARGEST_CROPS:
        raise DataError(f"crops {crops}: expected 1 or more pieces an image, at most {LARGEST_CROPS:,}")


def _sides(entry, scale):
    """Sides of input and largest label at a factor: (int, int)."""
    if entry.key == "fsrcnn":
        size = FSRCNN_SIZES[scale]
        return size + 2 * entry.margin, scale * (size - 1) + 1
    if entry.kind == "small":
        return entry.size, scale * (entry.size - 2 * entry.margin)
    return (entry.label // scale if entry.kind == "pyramid" else entry.size), entry.label


def image_folder(data_dir, name):
    """Where an image set lies.

    Parameters
    ----------
    data_dir : Path
    name : str
        A sub-folder; "91", the images of Yang et al., are also found in "291" as its BMP files, as the release of
        IDN's authors has them.

    Returns
    -------
    Path
        The folder.
    tuple of str or None
        Endings of the files that belong to the set; None: all.
    """
    folder = Path(data_dir) / name
    if name == "91" and not folder.is_dir():
        return Path(data_dir) / "291", (".bmp",)
    return folder, None
