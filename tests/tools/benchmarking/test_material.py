"""How often a benchmark decodes its images and builds its nets."""

import pickle
from collections import Counter

import cv2
import numpy as np
import pytest

from data_prep import images
from data_prep.errors import DataError
from tools import benchmark
from tools.benchmarking import material, plan, row_by_row, row_worker
from tools.benchmarking.jobs import Options
from tools.gpu.device import CPU
from tools.methods.registry import METHODS
from tools.nets import deploying, runtime

SCALES = (2, 3)


@pytest.fixture
def place(tmp_path):
    """Folders for a benchmark: the sets Tiny (three images) and Other (one), weights of ESPCN at two scales."""
    rng = np.random.default_rng(0)
    for name in ("Tiny/one.png", "Tiny/two.png", "Tiny/three.png", "Other/one.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "data" / name), rng.integers(0, 255, (60, 66, 3), np.uint8))
    (tmp_path / "weights/espcn").mkdir(parents=True)
    for scale in SCALES:
        net = runtime.build_net(METHODS["ESPCN"].build(scale))
        net.save(str(tmp_path / f"weights/espcn/ESPCN_x{scale}.caffemodel"))
    return tmp_path


@pytest.fixture
def counts(place, monkeypatch):
    """What is decoded (Counter of file names, and of "net" for each net that is built)."""
    counted, decode, build = Counter(), images.pictures.File.read, runtime.build_net

    def read(file, *rest):
        counted[f"{file.name.parent.name}/{file.name.name}"] += 1
        return decode(file, *rest)

    def build_net(*arguments):
        counted["net"] += 1
        return build(*arguments)

    monkeypatch.setattr(images.pictures.File, "read", read)
    monkeypatch.setattr(runtime, "build_net", build_net)
    monkeypatch.setattr(deploying, "at_once", lambda number: 1)  # else a net for each core
    return counted


def arguments(place, *more):
    folders = ["--data-dir", place / "data", "--weights-dir", place / "weights", "--out", place / "out"]
    asked = ["--datasets", "Tiny", "--methods", "Bicubic", "ESPCN", "--scales", *SCALES, "--tables", 2]
    return list(map(str, [*asked, *folders, *more]))


def test_each_image_is_decoded_once_and_each_net_built_once(place, counts):
    """Two methods at two scales, with pictures: four rows, each of which needs every image twice."""
    assert benchmark.main(arguments(place, "--save-images")) == 0
    assert counts == {"Tiny/one.png": 1, "Tiny/two.png": 1, "Tiny/three.png": 1, "net": 2}
    assert len(list((place / "out/images").rglob("*.png"))) == 12


def test_a_second_set_gets_nets_that_have_not_run(place, counts):
    """The first image of every row pays for Caffe's first allocation, so that no row may have the net of another."""
    assert benchmark.main(arguments(place, "--datasets", "Tiny", "Other")) == 0
    assert counts == {"Tiny/one.png": 1, "Tiny/two.png": 1, "Tiny/three.png": 1, "Other/one.png": 1, "net": 4}


def test_what_does_not_fit_into_memory_is_made_again(place, counts, monkeypatch):
    """Room for one image and one net: the others are decoded for every row, and built for the row."""
    one = 60 * 66 * 3
    monkeypatch.setattr(material.Material, "__init__", limited(material.Material.__init__, one, 1))
    assert benchmark.main(arguments(place)) == 0
    assert counts == {"Tiny/one.png": 1, "Tiny/two.png": 5, "Tiny/three.png": 5, "net": 3}


def limited(init, *limits):
    return lambda held: init(held, *limits)


def test_a_row_s_process_gets_the_job(place, counts, monkeypatch):
    """In processes of their own: one look at each image before, one in the row's process, whatever the row is."""
    handed = []

    def here(job, options, device, folder, progress):
        handed.append((job, counts.copy()))
        return row_worker.measured(job, options, device)

    monkeypatch.setattr(row_by_row, "_measure", here)
    assert benchmark.main(arguments(place, "--resume")) == 0
    before = handed[0][1]
    assert before == {"Tiny/one.png": 1, "Tiny/two.png": 1, "Tiny/three.png": 1, "net": before["net"]}
    assert [(job.method.name, job.scale, len(job.images)) for job, _ in handed] == [
        ("Bicubic", 2, 3), ("Bicubic", 3, 3), ("ESPCN", 3, 3), ("ESPCN", 2, 3)
    ]  # fmt: skip
    counts.subtract(before)
    assert counts == {"Tiny/one.png": 4, "Tiny/two.png": 4, "Tiny/three.png": 4, "net": 2}  # four processes' work


def test_one_net_for_all_factors_is_checked_once(place, counts):
    method, path = METHODS["VDSR"], place / "vdsr.caffemodel"
    method.load(2).save(str(path))
    held = material.Material()
    counts.clear()
    for scale in (2, 3, 4):
        held.check_net(method, scale, path)
    assert counts == {"net": 1}
    nets = [held.net(method, scale, path) for scale in (2, 3)]
    assert counts == {"net": 2} and nets[0] is not nets[1]


def test_an_image_that_has_changed_since_it_was_inspected(place):
    held = material.Material(pictures=0)
    info = held.inspect(place / "data/Tiny/one.png")
    (place / "data/Tiny/two.png").replace(info.path)
    with pytest.raises(DataError, match=r"one\.png: changed while it was being used"):
        held.image(info)


def test_options_and_jobs_go_to_another_process_whole(place):
    """What row_by_row hands on is equal to itself on the other side."""
    args = benchmark.parser().parse_args(arguments(place))
    jobs = plan.inspected(plan.plan(args), material.Material(pictures=0))
    assert len(jobs) == 4
    for work in ((job, Options(repeats=2, engine="opencv"), CPU) for job in jobs):
        assert pickle.loads(pickle.dumps(work)) == work
