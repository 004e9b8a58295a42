"""Validation images: what is read of them, and that they are read once."""

import sys

import cv2
import pytest

from data_prep.images import image_set_hash, list_images, read_image
from tools.methods import evaluation
from tools.training import validation


def test_samples_bicubic_and_hash(training):
    folder = training.data / "Set5"
    found = validation.read(folder, training.scale)
    assert [sample.name for sample in found.samples] == ["0.png", "1.png"]
    assert (found.name, found.sha256) == ("Set5", image_set_hash(list_images(folder)))
    sample = evaluation.prepare(read_image(folder / "0.png"), training.scale, name="0.png")
    assert (found.samples[0].base == sample.base).all()
    assert 20 < found.bicubic < 40


def test_a_flat_image_makes_bicubic_infinite(training, tmp_path):
    assert cv2.imwrite(str(tmp_path / "gray.png"), cv2.UMat(60, 60, cv2.CV_8UC3, (128, 128, 128)).get())
    assert validation.read(tmp_path, training.scale).bicubic == float("inf")


@pytest.fixture
def opened():
    """Names of the files that this process opens or lists meanwhile (list of str)."""
    found, on = [], [True]
    sys.addaudithook(lambda event, args: on and event in ("open", "os.listdir", "os.scandir") and found.append(args[0]))
    yield found
    on.clear()  # a hook cannot be removed


def test_a_run_lists_the_folder_once_and_opens_each_image_once(training, tmp_path, opened):
    assert training.run(tmp_path, "--iters", "3") == 0
    folder = training.data / "Set5"
    inside = sorted(str(name) for name in opened if str(name).startswith(str(folder)))
    assert inside == sorted([str(folder), *(str(path) for path in folder.iterdir())])
