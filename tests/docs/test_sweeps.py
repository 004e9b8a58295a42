"""docs/sweeps.md: its sweep and its array jobs, run on tiny data with an sbatch that is no scheduler but runs them."""

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/sweeps.md").read_text()
SHORTER = "--iters 6", "--iters 2 --stage pretrain"
# runs the tasks of the job one after the other, in the order of the array, with what SLURM tells them; prints a number
SBATCH = """#!/bin/bash
set -e
while [ $# -gt 0 ]; do
    case "$1" in
        --parsable) parsable=1 ;;
        --dependency=afterok:[0-9]*) ;;
        --wrap) shift; exec bash -c "$1" ;;
        -*) echo "sbatch: unknown option $1" >&2; exit 1 ;;
        *) script="$1" ;;
    esac
    shift
done
setting() { sed -n "s/^#SBATCH --$1=//p" "$script"; }
array=$(setting array)
export SLURM_ARRAY_TASK_COUNT=$((${array#*-} - ${array%-*} + 1)) SLURM_CPUS_PER_TASK=1
for SLURM_ARRAY_TASK_ID in $(seq "${array%-*}" "${array#*-}"); do
    export SLURM_ARRAY_TASK_ID
    bash "$script" >> tasks.log 2>&1
done
[ -z "$parsable" ] || echo 4711
"""


def block(name):
    """The fenced block that follows the first mention of a file's name."""
    return re.search(r"```\w+\n(.*?)^```$", PAGE[PAGE.index(f"`{name}`") :], re.M | re.S)[1]


def commands(word):
    """The lines of the page's shell blocks that begin with a word, their runs made even shorter."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
    lines = [line for language, text in blocks if language in ("", "shell") for line in text.splitlines()]
    return [line.replace(*SHORTER) for line in lines if line.split()[0] == word]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the tools, the page's files, small pictures, and an sbatch on PATH."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "tools").symlink_to(ROOT / "tools")
    for name in ("sweep.txt", "sweep.slurm", "database.slurm", "benchmark.slurm"):
        (folder / name).write_text(block(name).replace(*SHORTER))
    rng = np.random.default_rng(0)
    for name, count, side in (("mine", 4, 100), ("Set5", 2, 69)):
        (folder / "data" / name).mkdir(parents=True)
        for number in range(count):
            coarse = rng.integers(30, 220, (side // 12, side // 12, 3), np.uint8)
            picture = cv2.resize(coarse, (side, side + 6), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / "data" / name / f"{number}.png"), picture)
    (folder / "bin").mkdir()
    (folder / "bin/sbatch").write_text(SBATCH)
    (folder / "bin/sbatch").chmod(stat.S_IRWXU)
    return folder


def shell(place, line):
    """Run a line in the folder; gives what it prints."""
    environment = {**os.environ, "PATH": f"{place / 'bin'}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(["bash", "-c", line], cwd=place, env=environment, capture_output=True, text=True)
    log = place / "tasks.log"
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.exists() else "")
    return done.stdout


def weights(place):
    return {path.parent.parent.name: path.read_bytes() for path in place.glob("runs/sweep/*/idn/IDN_x3.caffemodel")}


def test_a_sweep_by_xargs_by_slurm_and_by_parallel(place):
    """The same runs in three ways; what is finished is not run again; then table and curves."""
    (line,) = commands("xargs")
    shell(place, line)
    found = weights(place)
    assert set(found) == {"lr1e-4", "lr3e-4", "blocks3"} and len(set(found.values())) == 3
    assert shell(place, line).count("pretrain: finished before") == 3
    (table,) = commands("tools/learning_log.py")
    shell(place, table)
    lines = (place / "runs/sweep.md").read_text().splitlines()
    cells = {line.split("|")[1].strip(): line for line in lines[2:]}
    assert set(cells) == set(found) and (place / "runs/sweep.png").is_file()
    assert "blocks 3" in cells["blocks3"] and "blocks" not in cells["lr3e-4"].split("|")[2]
    assert "base_lr 0.0003" in cells["lr3e-4"] and cells["lr1e-4"].split("|")[-2].strip() == "yes"
    shutil.rmtree(place / "runs/sweep")
    shell(place, commands("sbatch")[0])
    assert weights(place) == found
    if shutil.which("parallel"):
        shutil.rmtree(place / "runs/sweep")
        shell(place, commands("parallel")[0])
        assert weights(place) == found


def test_a_database_in_three_parts_is_that_of_one_run(place):
    line = commands("sbatch")[1]
    shell(place, line)
    shell(place, re.search(r'--wrap "(.*)"', line)[1].replace("--out hdf5", "--out one"))
    parts, one = (sorted((place / name / "x3/train").glob("*.h5")) for name in ("hdf5", "one"))
    assert [path.read_bytes() for path in parts] == [path.read_bytes() for path in one] != []
    log = (place / "tasks.log").read_text()
    assert [f"part {place}/hdf5/x3/train.parts/{number}_of_3.h5" in log for number in (1, 2, 3)] == [True] * 3


def test_a_benchmark_in_three_shares_is_that_of_one_run(place):
    shell(place, commands("sbatch")[2])
    shell(place, "tools/benchmark.py --tables 2 3 --datasets Set5 --methods Bicubic --data-dir data --out runs/one")
    folders = [place / "runs" / name for name in ("benchmark", "one")]
    tables = [(folder / "benchmark.csv").read_bytes() for folder in folders]
    assert tables[0] == tables[1]
    together, one = (json.loads((folder / "benchmark.json").read_text()) for folder in folders)
    assert scores(together) == scores(one) and len(one["rows"]) == 3
    assert together["meta"]["image_sets"] == one["meta"]["image_sets"]
    assert len(together["meta"]["earlier"]) == 2


def scores(report):
    """The rows without what is measured of the machine."""
    measured = ("spent", "peak_memory_mb")
    return [{key: value for key, value in row.items() if key not in measured} for row in report["rows"]]
