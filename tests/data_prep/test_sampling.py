"""How the compared networks' data are cut: sizes, counts and refusals."""

import math

import pytest
from PIL import Image

from data_prep.counts import command
from data_prep.errors import DataError
from data_prep.plan import gather, make_plan
from data_prep.sampling import ENTRIES, FOLDERS, OF_METHOD, image_folder, sampling
from prototxt.registry import NETWORKS

NETWORK_OF = {"srcnn_915": "srcnn", "srcnn_955": "srcnn"}


@pytest.mark.parametrize(
    ("method", "scale", "sides"),
    [
        ("SRCNN-9-1-5", 3, {"data": 33, "label": 21}),
        ("srcnn", 2, {"data": 33, "label": 17}),
        # paper, section 4.2: 10/19, 7/19, 6/21; the release's inputs have 4 pixels more
        ("FSRCNN", 2, {"data": 14, "label": 19}),
        ("FSRCNN", 3, {"data": 11, "label": 19}),
        ("FSRCNN", 4, {"data": 10, "label": 21}),
        ("ESPCN", 3, {"data": 17, "label": 27}),
        ("VDSR", None, {"data": 41, "label": 41}),
        ("DRCN", 4, {"data": 41, "label": 41}),
        ("RED30", 2, {"data": 50, "label": 50}),
        ("DRRN-B1U9", 3, {"data": 31, "label": 31}),
        ("MemNet-M10R10", None, {"data": 31, "label": 31}),
        ("LapSRN", 2, {"data": 64, "level1_HR": 128}),
        ("LapSRN", 4, {"data": 32, "level2_HR": 64, "level1_HR": 128}),
    ],
)
def test_sides(method, scale, sides):
    for stage in ("train", "val"):
        assert sampling(method, scale, stage).sides == sides


@pytest.mark.parametrize("method", OF_METHOD)
def test_a_sampling_fits_its_network(method):
    """Names and sides of the datasets are the tops of the train net, and batches those of its recipe."""
    shape = sampling(method, 4)
    network = NETWORKS[NETWORK_OF.get(shape.key, shape.key)]
    options = {"scale": 4} if network.scales else {}
    assert list(shape.sides) == list(network.tops(**options))
    assert shape.batch == network.recipe.batch
    assert str(shape.folder).split("/")[0] in FOLDERS
    assert sampling(method, 4, "val").batch == (network.test_batch or shape.batch)


# --- counts on the real images ------------------------------------------------------------------------------------


def size_of(path):
    with Image.open(path) as image:
        return image.height, image.width


@pytest.fixture(scope="module")
def count(request):
    """Pairs of a Sampling before truncation, counted from the sizes of the images in ../shared alone."""
    shared = request.getfixturevalue("shared")

    def pairs(shape):
        folder, endings = image_folder(shared / "data", shape.image_set)
        paths = [path for path in folder.iterdir() if not endings or path.suffix in endings]
        return sum(sum(shape.patches(*size_of(path))) for path in paths)

    return pairs


def test_vdsr_has_the_pairs_of_the_public_port(count):
    """Its 935,840 iterations of 64 are 80 epochs (caffe-vdsr, VDSR_solver.prototxt)."""
    assert count(sampling("VDSR")) // 64 == 935_840 // 80
    assert count(sampling("VDSR")) == ENTRIES["vdsr"].published


def test_drrn_has_the_released_epoch_at_stride_31(count):
    """The released solver: test_interval 6,536 at batch 128, stepsize ten times as long."""
    assert count(sampling("DRRN", stride=31)) // 128 == 6_536
    assert count(sampling("DRRN")) == 1_722_720  # at the stride of paper and script: 2.06 times as many


def test_srcnn_has_the_pairs_of_its_release(count):
    """21,884 pairs at x3: the train.h5 that users of the release's generate_train.m report; the paper rounds up."""
    assert count(sampling("SRCNN-9-1-5", 3)) == count(sampling("SRCNN", 3)) == 21_884


# --- refusals and folders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("SRGAN", 3), "method 'SRGAN': has no training data, expected IDN, SRCNN-9-1-5, SRCNN, FSRCNN"),
        (("LapSRN", 3), "LapSRN: has no recipe for x3, .* give --scale 4"),
        (("FSRCNN",), "FSRCNN: scale None: expected 2, 3 or 4"),
        (("VDSR", 3, "finetune"), "VDSR: stage 'finetune': has train, val"),
        (("ESPCN", 3, "pretrain"), "ESPCN: stage 'pretrain': has train, val"),
        (("VDSR", 3, "train", 0), "stride 0: expected 1 or more pixels"),
        (("LapSRN", 2, "train", 5), "LapSRN: is cut at random places; give --crops instead of --stride"),
        (("VDSR", 3, "train", None, 5), "VDSR: is cut at regular places; give --stride instead of --crops"),
        (("LapSRN", 2, "train", None, 0), "crops 0: expected 1 or more pieces an image, at most 1,000,000"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(DataError, match=message):
        sampling(*arguments)


def test_the_91_images_are_the_bmp_files_of_the_291(tmp_path, make_picture):
    for name in ("a.bmp", "b.bmp", "c.jpg"):
        make_picture(tmp_path / "291" / name, 60, 60)
    folder, endings = image_folder(tmp_path, "91")
    assert [info.path.name for info in gather(folder, endings=endings).images] == ["a.bmp", "b.bmp"]
    make_picture(tmp_path / "91" / "own.png", 60, 60)
    assert image_folder(tmp_path, "91") == (tmp_path / "91", None)


def test_the_command_of_a_plan_makes_the_same_plan(small_set):
    shape = sampling("DRRN-B1U9", None, stride=9)
    plan = make_plan(gather(small_set), shape)
    assert command(plan) == "tools/prepare_data.py --method DRRN --stage train --stride 9 --seed 0 --dry-run"
    lapsrn = make_plan(gather(small_set), sampling("lapsrn", 4, crops=70))
    assert command(lapsrn).startswith("tools/prepare_data.py --method LapSRN --scale 4 --stage train --crops 70 ")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_fsrcnn_s_labels_begin_where_the_release_has_them(scale):
    """The formula of its generate_train.m, whose pixels count from 1, for the piece at 1."""
    shape = sampling("FSRCNN", scale)
    first = scale * (1 + (shape.size - 1) // 2) - math.floor((shape.label + scale) / 2 - 1)
    assert first - 1 == scale * shape.margin + shape.late
    assert shape.asked()["late"] == shape.late and "late" not in sampling("ESPCN", scale).attributes()
