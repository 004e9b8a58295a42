"""Building databases: every pair in its place, the same bytes, nothing half-written."""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from data_prep import build as building
from data_prep import cutting
from data_prep.augment import luma_variants
from data_prep.build import build, database_folder, is_current
from data_prep.cutting import pairs as cut_all
from data_prep.drawing import draw
from data_prep.errors import DataError
from data_prep.geometry import geometry
from data_prep.hdf5 import check_cut, check_database
from data_prep.images import read_image
from data_prep.patches import cut
from data_prep.plan import gather, make_plan
from data_prep.sampling import sampling
from data_prep.shard_list import list_path, shard_paths


def plan_for(folder, scale=3, stage="train", **options):
    return make_plan(gather(folder), geometry(scale, stage), **{"shard_mb": 2.1, **options})


def make(plan, out, **options):
    return build(plan, out, **{"processes": 1, "progress": False, **options})


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shard_paths(folder)}


def left_over(out):
    return [path.name for path in out.rglob(".*")]


@pytest.mark.parametrize(("scale", "stage"), [(2, "train"), (3, "finetune"), (4, "train"), (3, "val")])
def test_every_pair_is_in_its_place(small_set, tmp_path, scale, stage):
    plan = plan_for(small_set, scale, stage, seed=3)
    report = make(plan, tmp_path / "out")
    stored = {name: [] for name in ("data", "label", "bic")}
    for path in shard_paths(report.folder):
        with h5py.File(path) as file:
            for name, parts in stored.items():
                parts.append(file[name][:])
    # straightforward: all pairs in a row, permuted, truncated
    pairs = [
        cut(luma, plan.geometry)
        for info in plan.sources.images
        for luma in luma_variants(read_image(info.path), plan.geometry.augmentation)
    ]
    order = np.random.RandomState(3).permutation(plan.total)[: plan.pairs]  # noqa: NPY002
    for name, parts in stored.items():
        expected = np.concatenate([one[name] for one in pairs])[order]
        assert np.array_equal(np.concatenate(parts), expected)
    assert report.built
    assert report.bytes == sum(path.stat().st_size for path in shard_paths(report.folder))
    assert left_over(tmp_path / "out") == []


def test_same_bytes_with_any_number_of_processes(small_set, tmp_path):
    plan = plan_for(small_set)
    one = make(plan, tmp_path / "one")
    three = make(plan, tmp_path / "three", processes=3)
    assert len(digests(one.folder)) == 3
    assert digests(one.folder) == digests(three.folder)
    other = make(plan_for(small_set, seed=1), tmp_path / "other")
    assert digests(other.folder)["00000.h5"] != digests(one.folder)["00000.h5"]


@pytest.mark.parametrize("method", [None, "DRRN", "FSRCNN", "LapSRN"])
def test_a_sample_has_the_pairs_that_were_drawn(small_set, tmp_path, method):
    """With any number of processes: each row is the pair at the position that was drawn, of all pairs in a row."""
    shape = sampling(method, 4, **({"crops": 40} if method == "LapSRN" else {})) if method else geometry(3, "train")
    plan = make_plan(gather(small_set, decode=False), shape, seed=5, shard_mb=1, max_pairs=2 * shape.batch + 1)
    one = make(plan, tmp_path / "one")
    assert digests(one.folder) == digests(make(plan, tmp_path / "three", processes=3).folder)
    assert not make(plan, tmp_path / "one").built
    images = [(read_image(info.path), f"5 {info.sha256}") for info in plan.sources.images]
    found = [pairs for rgb, key in images for pairs in cut_all(rgb, shape, key)]
    order = draw(plan.total, plan.pairs, 5)
    assert len(order) == plan.pairs == 2 * shape.batch < plan.total
    for name in shape.sides:
        stored = [h5py.File(path)[name][:] for path in shard_paths(one.folder)]
        assert np.array_equal(np.concatenate(stored), np.concatenate([each[name] for each in found])[order])
    assert check_cut(list_path(one.folder), shape).pairs == plan.pairs


def test_variants_without_a_drawn_pair_are_not_computed(small_set, tmp_path, monkeypatch):
    """64 of several hundred pairs: images and variants that none falls on are not decoded or made."""
    plan = make_plan(gather(small_set, decode=False), geometry(3, "train"), max_pairs=64)
    wanted = set()
    for info, places in zip(plan.sources.images, plan.destinations()):
        ends = np.cumsum(plan.geometry.patches(info.height, info.width))
        # 20 lumas of an image, each for both flips
        wanted |= {(info.path.name, variant // 2) for variant in np.searchsorted(ends, places.chosen, side="right")}
    made = []
    real = cutting.luma_variants
    monkeypatch.setattr(cutting, "luma_variants", lambda rgb, one: made.append(one) or real(rgb, one))
    make(plan, tmp_path)
    assert len(made) == len(wanted) < 80


def test_an_image_that_cannot_be_decoded_is_named_when_it_is_cut(small_set, tmp_path, damage):
    damage(small_set / "picture1.png")
    plan = make_plan(gather(small_set, decode=False), geometry(3, "train"), max_pairs=128)
    with pytest.raises(DataError, match=r"picture1.png: .*, or leave such images out with --skip-bad"):
        make(plan, tmp_path)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(("method", "scale"), [("DRRN", None), ("FSRCNN", 2), ("LapSRN", 4)])
def test_other_methods_databases(small_set, tmp_path, method, scale):
    """Same bytes with any number of processes, every pair in its place, known again and told from another's."""
    shape = sampling(method, scale, **({"crops": 40} if method == "LapSRN" else {}))
    plan = make_plan(gather(small_set), shape, seed=5, shard_mb=1)
    one = make(plan, tmp_path / "one")
    assert digests(one.folder) == digests(make(plan, tmp_path / "three", processes=3).folder)
    assert one.folder == tmp_path / "one" / shape.folder and len(digests(one.folder)) > 1
    stored = {name: [] for name in shape.sides}
    for path in shard_paths(one.folder):
        with h5py.File(path) as file:
            for name, parts in stored.items():
                parts.append(file[name][:])
    images = [(read_image(info.path), f"5 {info.sha256}") for info in plan.sources.images]
    found = [pairs for rgb, key in images for pairs in cut_all(rgb, shape, key)]
    order = np.random.RandomState(5).permutation(plan.total)[: plan.pairs]  # noqa: NPY002
    for name, parts in stored.items():
        assert np.array_equal(np.concatenate(parts), np.concatenate([one[name] for one in found])[order])
    assert not make(plan, tmp_path / "one").built
    list_file = list_path(one.folder)
    assert check_cut(list_file, shape).pairs == plan.pairs
    with pytest.raises(DataError, match=f"00000.h5: a database for {shape.key}, expected one for ESPCN x2 train; "):
        check_cut(list_file, sampling("ESPCN", 2))
    with pytest.raises(DataError, match=f"00000.h5: a database for {shape.key}, expected one for x3 train; "):
        check_database(list_file, 3, "train")
    idn = make(plan_for(small_set), tmp_path / "idn")
    with pytest.raises(DataError, match=f"a database for idn, expected one for {re.escape(shape.name)}; make it"):
        check_cut(list_path(idn.folder), shape)


def test_the_set_s_own_folder_does_not_matter(small_set, tmp_path):
    shutil.copytree(small_set, tmp_path / "elsewhere" / small_set.name)
    one = make(plan_for(small_set), tmp_path / "one")
    two = make(plan_for(tmp_path / "elsewhere" / small_set.name), tmp_path / "two")
    assert digests(one.folder) == digests(two.folder)


def test_finished_database_is_not_made_again(small_set, tmp_path):
    plan = plan_for(small_set)
    first = make(plan, tmp_path)
    stamps = [path.stat().st_mtime_ns for path in shard_paths(first.folder)]
    list_path(first.folder).unlink()
    second = make(plan, tmp_path)
    assert (first.built, second.built) == (True, False)
    assert [path.stat().st_mtime_ns for path in shard_paths(first.folder)] == stamps
    assert list_path(first.folder).exists()  # the list is cheap and always made anew
    assert make(plan, tmp_path, force=True).built
    assert [path.stat().st_mtime_ns for path in shard_paths(first.folder)] != stamps


@pytest.mark.parametrize("change", ["seed", "shard", "image", "truncated", "missing"])
def test_another_database_is_made_anew(small_set, tmp_path, make_picture, change):
    folder = make(plan_for(small_set), tmp_path).folder
    options = {"seed": {"seed": 8}, "shard": {"shard_mb": 1.1}}.get(change, {})
    if change == "image":
        make_picture(small_set / "picture0.png", 97, 120, seed=9)
    if change == "truncated":
        path = shard_paths(folder)[1]
        path.write_bytes(path.read_bytes()[:-5000])
    if change == "missing":
        shard_paths(folder)[2].unlink()
    plan = plan_for(small_set, **options)
    assert not is_current(plan, folder)
    assert make(plan, tmp_path).built
    assert is_current(plan, folder)
    assert check_database(list_path(folder), 3, "train").pairs == plan.pairs


def test_out_that_cannot_be_a_folder(small_set, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="out/x3/train: cannot be made .*; choose another --out"):
        make(plan_for(small_set), tmp_path / "out")


def test_a_line_break_in_out_is_refused_before_any_work(small_set, tmp_path):
    with pytest.raises(DataError, match="has a line break; choose another --out"):
        make(plan_for(small_set), tmp_path / "my\nout")
    assert not (tmp_path / "my\nout").exists()


def test_number_of_processes(small_set, tmp_path):
    with pytest.raises(DataError, match="workers 0: expected 1 or more"):
        make(plan_for(small_set), tmp_path, processes=0)


def test_no_space_is_known_before_any_work(small_set, tmp_path, monkeypatch):
    monkeypatch.setattr(building.shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(DataError, match=r"x3: no space: 5,\d{3},\d{3} bytes needed, 1,000,000 free; make room"):
        make(plan_for(small_set), tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite"])
def test_no_space_while_writing_keeps_the_old_database(small_set, tmp_path, monkeypatch, call):
    folder = make(plan_for(small_set), tmp_path / "out").folder
    before = digests(folder)

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DataError, match="x3: no space left while writing; make room or choose another --out"):
        make(plan_for(small_set, seed=1), tmp_path / "out")
    assert digests(folder) == before
    assert check_database(list_path(folder), 3, "train").attributes["seed"] == 0
    assert left_over(tmp_path / "out") == []


def test_a_full_disk_for_real(small_set, tmp_path):
    """A limit on file size is as near to a full disk as an ordinary user gets: EFBIG instead of ENOSPC."""
    script = (
        "import resource, sys; from tools.common import cli; from tools import prepare_data\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "cli.run(lambda: prepare_data.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "--scale", "3", "--stage", "train", "--workers", "1"]
    command += ["--data-dir", small_set.parent, "--set", small_set.name, "--out", tmp_path / "out"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=200)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_an_interrupted_replacement_is_undone(small_set, tmp_path):
    folder = make(plan_for(small_set), tmp_path).folder
    before = digests(folder)
    folder.rename(folder.with_name(".train.old"))  # killed between the two renames
    assert not make(plan_for(small_set), tmp_path).built
    assert digests(folder) == before
    assert left_over(tmp_path) == []


def test_two_runs_at_once(small_set, tmp_path):
    plan = plan_for(small_set)
    folder = database_folder(tmp_path, plan.geometry)
    with building._claim(folder), pytest.raises(DataError, match="another run is making this database"):
        make(plan, tmp_path)
    assert make(plan, tmp_path).built


def test_a_bug_in_a_process_is_not_hidden(small_set, tmp_path, monkeypatch):
    plan = plan_for(small_set)
    plan.counts[0] -= 1
    plan.counts[1] += 1
    for processes in (1, 2):
        with pytest.raises((RuntimeError, ValueError, IndexError)):
            make(plan, tmp_path / "out", processes=processes)
        assert left_over(tmp_path / "out") == []


COMMAND = [sys.executable, str(Path(__file__).resolve().parents[2] / "tools/prepare_data.py")]


@pytest.fixture
def big_job(tmp_path, make_picture):
    """Arguments of a run that takes a few seconds, and its partial folder."""
    for seed in range(12):
        make_picture(tmp_path / "data" / "big" / f"{seed}.png", 260, 370, seed)
    arguments = ["--scale", "3", "--stage", "train", "--set", "big", "--workers", "2"]
    arguments += ["--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    return arguments, tmp_path / "out" / "x3" / ".train.partial"


def start(arguments, partial):
    """Start a run; return it once its first patches are on the disk."""
    run = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while run.poll() is None and time.monotonic() < deadline:
        path = partial / "00000.h5"
        with contextlib.suppress(FileNotFoundError):
            # laid out but empty, a shard is all zeros but for some kilobytes of HDF5's own
            if np.count_nonzero(np.fromfile(path, np.uint8)) > 1_000_000:
                return run
        time.sleep(0.05)
    run.kill()
    raise AssertionError(f"the run ended too early, or never began: {run.communicate()}")


def children(run):
    """Ids of the worker processes of a run, in the order they were started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pid, parent = int(path.parent.name), path.read_bytes().rsplit(b")", 1)[1].split()[1]
            # not multiprocessing's resource tracker, which is a child as well
            if int(parent) == run.pid and b"spawn_main" in (path.parent / "cmdline").read_bytes():
                found.append(pid)
    return sorted(found)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rsplit(b")", 1)[1].split()[0] != b"Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_kill_leaves_nothing_under_the_final_name(big_job, tmp_path):
    arguments, partial = big_job
    run = start(arguments, partial)
    workers = children(run)
    run.kill()
    run.communicate()
    assert len(workers) == 2
    assert sorted(path.name for path in partial.parent.iterdir()) == [".train.partial"]
    wait_until(lambda: not any(map(alive, workers)))  # the processes follow their parent
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    check_database(partial.with_name("train.txt"), 3, "train")
    assert left_over(tmp_path / "out") == []


def test_ctrl_c_cleans_up(big_job, tmp_path):
    arguments, partial = big_job
    run = start(arguments, partial)
    workers = children(run)
    for pid in [run.pid, *workers]:  # as a terminal does: to the whole group
        os.kill(pid, signal.SIGINT)
    _, err = run.communicate(timeout=200)
    assert (run.returncode, err) == (130, "prepare_data.py: interrupted\n")
    assert list(partial.parent.iterdir()) == []
    wait_until(lambda: not any(map(alive, workers)))


def test_killed_worker_is_one_line(big_job, tmp_path):
    arguments, partial = big_job
    run = start(arguments, partial)
    os.kill(children(run)[-1], signal.SIGKILL)
    _, err = run.communicate(timeout=200)
    assert run.returncode == 2
    assert err == "prepare_data.py: a worker process was killed, perhaps for want of memory; try fewer --workers\n"
    assert list(partial.parent.iterdir()) == []


def test_memory_does_not_grow_with_the_set(tmp_path, make_picture):
    """Ten times the images, the same peak but for a third: how many tasks wait at once depends on the load."""
    peaks = {}
    for count in (3, 30):
        for seed in range(count):
            make_picture(tmp_path / str(count) / f"{seed}.png", 90, 120, seed)
        arguments = ["--scale", "3", "--stage", "train", "--set", str(count), "--workers", "2"]
        arguments += ["--data-dir", str(tmp_path), "--out", str(tmp_path / "out" / str(count))]
        done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=200, check=True)
        peaks[count] = int(done.stdout.split("peak memory ")[1].split(" MB")[0])
    assert 50 < peaks[3] < 1000
    assert peaks[30] < 1.33 * peaks[3]
