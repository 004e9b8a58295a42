"""Tiny databases, a run that went through all stages, and what tests of trainings do again and again."""

import json
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from data_prep.sampling import sampling
from tools import prepare_data, train
from tools.nets import caffemodels
from tools.training import stepping
from tools.training.log import read


class Training:
    """Trainings at x3 on the databases of one folder.

    Parameters
    ----------
    data : Path
        Folder with 291, Set5 and hdf5.
    """

    scale = 3

    def __init__(self, data):
        self.data = data

    def arguments(self, out, *more):
        """A command line (list of str) of tools/train.py for a run in `out`."""
        return [
            "--scale", "3", "--data-dir", str(self.data), "--hdf5-dir", str(self.data / "hdf5"), "--out", str(out),
            "--batch", "4", *more,
        ]  # fmt: skip

    def run(self, out, *more):
        """Train in this process; gives the exit status."""
        return train.main(self.arguments(out, *more))

    @staticmethod
    def process(argv):
        """Start the tool as a process (Popen)."""
        command = [sys.executable, train.ROOT / "tools" / "train.py", *argv]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def refusal(self, out, *more):
        """The one line on stderr, with exit status 2, of the command as a user types it."""
        process = self.process(self.arguments(out, *more))
        _, err = process.communicate()
        assert process.returncode == 2, err
        assert err.count("\n") == 1, err
        return err

    @staticmethod
    def limited(argv, limit=""):
        """A run of the tool after `limit`, code that is run first: its CompletedProcess."""
        end = "cli.run(lambda: train.main(sys.argv[1:]))"
        script = f"import sys, resource; from tools.common import cli; from tools import train\n{limit}\n{end}"
        return subprocess.run([sys.executable, "-c", script, *argv], cwd=train.ROOT, capture_output=True, text=True)

    @staticmethod
    def wait_for(path, process, seconds=120):
        """Wait until a file is there that a process makes."""
        until = time.monotonic() + seconds
        while not path.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)

    @staticmethod
    def assert_same_weights(one, other):
        """Two .caffemodels hold the same bits."""
        one, other = _weights(one), _weights(other)
        assert one.keys() == other.keys() and one
        for name in one:
            for x, y in zip(one[name], other[name]):
                np.testing.assert_array_equal(x, y)

    @staticmethod
    def read_json(path):
        """JSON as readers that know no NaN and Infinity take it."""

        def refuse(name):
            raise AssertionError(f"{path}: {name}")

        return json.loads(path.read_text(), parse_constant=refuse)

    @staticmethod
    def hidden(folder):
        """Names of hidden files and folders in a folder (list of str)."""
        return [str(path.relative_to(folder)) for path in folder.rglob(".*")]


class Methods:
    """Trainings of other networks than IDN on the tiny pictures.

    Parameters
    ----------
    training : Training
    """

    scales = {"LapSRN": 2}
    # what makes some pairs of pictures of 100 pixels
    few = {"DRCN": ("--stride", 7), "ESPCN": ("--stride", 2), "SRCNN": ("--stride", 9), "SRCNN-9-1-5": ("--stride", 9),
           "FSRCNN": ("--stride", 4), "LapSRN": ("--crops", 32)}  # fmt: skip

    def __init__(self, training):
        self.training, self.made = training, set()

    def options(self, method, *more):
        """A command line (list of str) of tools/train.py; the method's databases are made when they are not there."""
        data, scale = self.training.data, self.scales.get(method, 3)
        key = sampling(method, scale).key
        for stage in ("train", "val") if key not in self.made else ():
            argv = ["--method", method, "--scale", scale, "--stage", stage, "--workers", 1, "--data-dir", data]
            argv += ["--out", data / "hdf5"]
            argv += self.few.get(method, ()) if stage == "train" or method == "LapSRN" else ()
            argv += ["--set", "291"] if stage == "train" else []
            assert prepare_data.main([str(a) for a in argv]) == 0
        self.made.add(key)
        return [
            "--method", method, "--scale", str(scale), "--data-dir", str(data), "--hdf5-dir", str(data / "hdf5"),
            "--batch", "2", *more,
        ]  # fmt: skip

    def stop_and_go_on(self, folder, method, *more, at=3):
        """Train in one go and stopped after `at` (int) iterations: the same weights and the same log.

        Gives the summary (dict) of the first, in `folder` / "whole".
        """
        assert train.main(self.options(method, "--out", str(folder / "whole"), *more)) == 0
        step = stepping.Plain.step

        def interrupted(stepper, count):
            losses = step(stepper, count)
            if stepper.solver.iter == at:
                signal.raise_signal(signal.SIGINT)
            return losses

        argv = self.options(method, "--out", str(folder / "parts"), *more)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stepping.Plain, "step", interrupted)
            assert train.main(argv) == 130
        assert train.main(argv) == 0
        name = f"{method.lower()}/{method}_x{self.scales.get(method, 3)}.caffemodel"
        self.training.assert_same_weights(folder / "whole" / name, folder / "parts" / name)
        rows = [read(folder / part / "log.csv") for part in ("whole", "parts")]
        assert len(rows[0]) == len(rows[1])
        for one, other in zip(*rows):
            assert {**one, "iterations_per_second": 0} == {**other, "iterations_per_second": 0}
        summary = self.training.read_json(folder / "whole" / "summary.json")
        assert self.training.read_json((folder / "whole" / name).with_suffix(".json")) == summary
        return summary


def _weights(path):
    model = caffemodels.read(path)
    return {layer.name: [np.array(blob.data) for blob in layer.blobs] for layer in model.layer if layer.blobs}


def photograph(seed, height, width):
    """A smooth random colour picture with edges: (height, width, 3) uint8 BGR."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((height // 12, width // 12, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * (0.7 * smooth + 0.3 * (smooth > 0.5)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def training(tmp_path_factory):
    """Trainings on three training and two validation pictures."""
    folder = tmp_path_factory.mktemp("data")
    for name, count, side in (("291", 3, 100), ("Set5", 2, 69)):
        (folder / name).mkdir()
        for i in range(count):
            assert cv2.imwrite(str(folder / name / f"{i}.png"), photograph(i, side, side + 6))
    for stage in ("train", "finetune", "val"):
        argv = ["--scale", "3", "--stage", stage, "--data-dir", folder, "--out", folder / "hdf5", "--workers", "1"]
        assert prepare_data.main([str(a) for a in argv]) == 0
    return Training(folder)


@pytest.fixture(scope="session")
def methods(training):
    """Trainings of other networks."""
    return Methods(training)


@pytest.fixture(scope="session")
def finished(training, tmp_path_factory):
    """Folder of a run that went through all three stages (43 iterations)."""
    out = tmp_path_factory.mktemp("finished") / "run"
    assert training.run(out, "--iters", "43", "--snapshot", "10", "--test-interval", "12") == 0
    return out
