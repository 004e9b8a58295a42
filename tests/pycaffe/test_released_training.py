"""Training files in the form of the authors' release, by the `caffe` program, on databases that this project makes.

The net is written here in the manner of that release: explicit Split layers, fillers and operations by number, a
`stride` everywhere, L1Loss at the end. docs/authors_release.md says how its own files are run.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from prototxt.engine import caffe
from prototxt.idn import idn

BATCH, ITERATIONS = 4, 3
RATES = "param { lr_mult: 1.0 } param { lr_mult: 0.1 }"
FILLERS = 'weight_filler { type: "msra" variance_norm: 2 } bias_filler { type: "constant" value: 0 }'
SOLVER = """
net: "IDN_x2.prototxt" # IDN_x3.prototxt | IDN_x4.prototxt
test_iter:2
test_interval: 2
type: "Adam"
base_lr: 0.0001
weight_decay: 0.0001
lr_policy: "step"
gamma: 0.1
stepsize: 250000
regularization_type: "L2"
display: 1
max_iter: {iterations}
snapshot: 20000
snapshot_prefix: "caffemodel_x2/IDN"
solver_mode: {mode}
"""


def layer(name, kind, bottoms, tops, options=""):
    ends = " ".join([f'bottom: "{one}"' for one in bottoms] + [f'top: "{one}"' for one in tops])
    return f'layer {{ name: "{name}" type: "{kind}" {ends} {options} }}\n'


def conv(name, bottom, outputs, kernel=3, group=1):
    pad = kernel // 2
    param = f"num_output: {outputs} kernel_size: {kernel} stride: 1 pad: {pad} group: {group} {FILLERS}"
    text = layer(name, "Convolution", [bottom], [name], f"{RATES} convolution_param {{ {param} }}")
    return text + layer(f"relu_{name}", "ReLU", [name], [name], "relu_param { negative_slope: 0.05 }")


def unit(k, bottom):
    """Enhancement and compression unit k."""
    name = f"conv{k + 2}_{{}}".format
    text = layer(f"split{k}", "Split", [bottom], [f"split{k}_1", f"split{k}_2"])
    text += conv(name(1), f"split{k}_2", 48) + conv(name(2), name(1), 32, group=4) + conv(name(3), name(2), 64)
    slices = [f"slice{k}_1", f"slice{k}_2"]
    text += layer(f"slice{k}", "Slice", [name(3)], slices, "slice_param { axis: 1 slice_point: 16 }")
    text += conv(name(4), slices[1], 64) + conv(name(5), name(4), 48, group=4) + conv(name(6), name(5), 80)
    text += layer(f"concat{k}", "Concat", [f"split{k}_1", slices[0]], [f"concat{k}"], "concat_param { axis: 1 }")
    text += layer(f"sum{k}", "Eltwise", [f"concat{k}", name(6)], [f"sum{k}"], "eltwise_param { operation: 1 }")
    return text + conv(f"down{k}", f"sum{k}", 64, kernel=1)


def released_net(sources):
    """A net of the release at x2; `sources` are those of its two phases."""
    text = 'name: "IDN_x2"\n'
    for source, batch, phase in ((sources[0], BATCH, "TRAIN"), (sources[1], 2, "TEST")):
        param = f'hdf5_data_param {{ source: "{source}" batch_size: {batch} }} include: {{phase: {phase}}}'
        text += layer("data", "HDF5Data", [], ["bic", "data", "label"], param)
    text += conv("conv1", "data", 64) + conv("conv2", "conv1", 64)
    for k, bottom in enumerate(("conv2", "down1", "down2", "down3"), 1):
        text += unit(k, bottom)
    rates = RATES.replace("1.0", "0.1")
    param = f"kernel_size: 17 stride: 2 num_output: 1 pad: 8 {FILLERS}"
    text += layer("upsample", "Deconvolution", ["down4"], ["upsample"], f"{rates} convolution_param {{ {param} }}")
    text += layer("sum", "Eltwise", ["bic", "upsample"], ["sum"], "eltwise_param { operation: SUM }")
    return text + layer("loss", "L1Loss", ["sum", "label"], ["loss"], "loss_weight: 1")


@pytest.fixture(scope="module")
def databases(root, tmp_path_factory):
    """train.txt and val.txt at x2, by tools/prepare_data.py from one picture a set; their folder (Path)."""
    folder = tmp_path_factory.mktemp("databases")
    rows, columns = np.mgrid[:130, :140]
    plane = 120 + 60 * np.sin(rows / 9) + 50 * np.cos(columns / 7)
    for name in ("291", "Set5"):
        (folder / "data" / name).mkdir(parents=True)
        picture = np.dstack([plane, plane[::-1], plane[:, ::-1]]).astype(np.uint8)
        cv2.imwrite(str(folder / "data" / name / "one.png"), picture)
    for stage in ("train", "val"):
        tool = [sys.executable, root / "tools/prepare_data.py", "--scale", "2", "--stage", stage, "--workers", "1"]
        folders = ["--data-dir", folder / "data", "--out", folder / "hdf5"]
        subprocess.run([*tool, *folders], check=True, capture_output=True, timeout=120)
    return folder / "hdf5/x2"


@pytest.fixture
def release(databases, tmp_path, monkeypatch):
    """The release's folder train/ with the lists of our databases, as the working directory."""
    monkeypatch.chdir(tmp_path)
    for folder, stage in (("train_hdf5/train.txt", "train"), ("test_hdf5/test.txt", "val")):
        Path(folder).parent.mkdir()
        shutil.copy(databases / f"{stage}.txt", folder)
    Path("caffemodel_x2").mkdir()
    Path("IDN_x2.prototxt").write_text(released_net(["train_hdf5/train.txt", "test_hdf5/test.txt"]))
    Path("IDN_solver.prototxt").write_text(SOLVER.format(iterations=ITERATIONS, mode="CPU"))
    return tmp_path


def train(*options, **variables):
    clean = {k: v for k, v in os.environ.items() if k != "GLOG_minloglevel"}
    command = [Path(sys.prefix) / "bin/caffe", "train", "-solver", "IDN_solver.prototxt", *options]
    return subprocess.run(command, env={**clean, **variables}, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("engine", ["onednn", "blas"])
def test_the_released_files_train_as_ours_do(release, databases, engine):
    """From the same weights to the same bits as the stock net of prototxt/, through the same pairs."""
    start = Path("start.prototxt")
    start.write_text(str(idn(2)))
    caffe.set_random_seed(5)
    caffe.Net(str(start), caffe.TEST).save("start.caffemodel")
    done = train("-weights", "start.caffemodel", CAFFE_CPU_ENGINE=engine)
    assert done.returncode == 0, done.stderr
    assert "Testing net (#0)" in done.stderr and "Optimization Done." in done.stderr
    assert "Train net output #0: loss = " in done.stderr
    theirs = loaded(f"caffemodel_x2/IDN_iter_{ITERATIONS}.caffemodel")

    stock = idn(2, "train", batch=BATCH, source=str(databases / "train.txt"), test_source=str(databases / "val.txt"))
    Path("IDN_x2.prototxt").write_text(str(stock))
    done = train("-weights", "start.caffemodel", CAFFE_CPU_ENGINE=engine)
    assert done.returncode == 0, done.stderr
    ours, before = loaded(f"caffemodel_x2/IDN_iter_{ITERATIONS}.caffemodel"), loaded("start.caffemodel")
    assert sum(blob.size for blob in theirs.values()) == 552_769
    for name, blob in theirs.items():
        np.testing.assert_array_equal(blob, ours[name], err_msg=str(name))
        assert (blob != before[name]).any()


def loaded(weights):
    """Every array of a weight file by layer and number, as the generated deploy net takes it."""
    net = caffe.Net("start.prototxt", caffe.TEST, weights=weights)
    return {(name, k): blob.data.copy() for name, blobs in net.params.items() for k, blob in enumerate(blobs)}


def test_a_database_as_source_is_one_line(release):
    """What the release's nets for x3 and x4 have."""
    database = Path("train_hdf5/train.txt").read_text().split()[0]
    Path("IDN_x2.prototxt").write_text(released_net([database, "test_hdf5/test.txt"]))
    done = train()
    assert done.returncode == 2
    said = f'caffe: layer data (HDF5Data): source "{database}" is itself an HDF5 file'
    assert done.stderr.splitlines()[-1].startswith(said)


def test_a_missing_snapshot_folder_is_said_at_once(release):
    """Upstream's own check, which docs/authors_release.md refers to."""
    Path("caffemodel_x2").rmdir()
    done = train()
    assert done.returncode != 0 and "Cannot write to snapshot prefix 'caffemodel_x2/IDN'" in done.stderr
