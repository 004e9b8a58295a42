"""A benchmark row by row: what is kept, rows in processes of their own, rows that die, mistakes."""

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep import files
from tools import benchmark
from tools.benchmarking import material, plan, progress, reports, row_by_row
from tools.common import cli
from tools.methods.registry import METHODS
from tools.nets import bounded, forward_memory, runtime


def draw(path, side, seed=0):
    """Write a smooth square gray picture."""
    small = np.random.default_rng(seed).integers(30, 220, (side // 6, side // 6), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC))


@pytest.fixture
def place(tmp_path, no_models):
    """Folders for a benchmark of the sets Tiny and Large, without weights."""
    draw(tmp_path / "data/Tiny/one.png", 48)
    draw(tmp_path / "data/Large/one.png", 192)
    (tmp_path / "weights").mkdir()
    return tmp_path


def options(place, *more):
    """Command line for the set Tiny at x3 by time with one repeat, unless `more` says otherwise."""
    folders = ["--data-dir", place / "data", "--weights-dir", place / "weights", "--out", place / "out"]
    return list(map(str, ["--datasets", "Tiny", "--scales", 3, "--repeats", 1, *folders, *more]))


def timed(place, *methods):
    return options(place, "--tables", 4, "--random-weights", "--methods", *methods)


def read(place):
    return json.loads((place / "out/benchmark.json").read_text())


def test_only_what_is_missing_is_measured(place, capsys):
    assert benchmark.main(timed(place, "ESPCN")) == 0
    first = read(place)
    assert benchmark.main(timed(place, "FSRCNN", "ESPCN")) == 0
    both = read(place)
    assert [row["method"] for row in both["rows"]] == ["FSRCNN", "ESPCN"]
    assert both["rows"][1] == first["rows"][0] and both["rows"][0]["seconds_median"] > 0
    assert both["meta"]["earlier"][0]["command"] == first["meta"]["command"]
    said = capsys.readouterr()
    assert "[1/1] Tiny x3 FSRCNN: " in said.err and said.err.count("ESPCN: ") == 1
    before = (place / "out/benchmark.json").stat().st_mtime_ns
    assert benchmark.main(timed(place, "FSRCNN")) == 0
    assert (place / "out/benchmark.json").stat().st_mtime_ns == before
    assert "| Tiny | x3    | ESPCN " in capsys.readouterr().out  # the whole report is shown


def test_other_weights_and_more_repeats_are_measured_anew(place):
    path = place / "weights/espcn/ESPCN_x3.caffemodel"
    path.parent.mkdir()
    net = runtime.build_net(METHODS["ESPCN"].build(3))
    found = []
    for repeats in (1, 1, 2):
        if len(found) == 1:
            net.params["conv1"][0].data[...] *= 0.5
        net.save(str(path))
        asked = options(place, "--tables", 2, 4, "--methods", "ESPCN", "--repeats", repeats)
        assert benchmark.main(asked) == 0
        found.append(read(place)["rows"][0])
    assert found[0]["psnr"] != found[1]["psnr"] == found[2]["psnr"]
    assert (found[1]["repeats"], found[2]["repeats"]) == (1, 2) and not found[2]["random_weights"]


def test_gaps_are_marked_and_do_not_take_the_place_of_rows(place):
    assert benchmark.main(timed(place, "ESPCN")) == 0
    seconds = read(place)["rows"][0]["seconds"]
    # without --random-weights, all: what has no weights is a gap, what was measured stays
    assert benchmark.main(options(place, "--tables", 4, "--methods", "all")) == 0
    rows = {row["method"]: row for row in read(place)["rows"]}
    assert set(rows) == {name for name, method in METHODS.items() if 3 in method.scales}
    assert rows["ESPCN"]["seconds"] == seconds and rows["ESPCN"]["gap"] is None
    assert "no weights of VDSR at x3" in rows["VDSR"]["gap"] and rows["Bicubic"]["gap"] is None


def test_cheapest_first(place):
    args = benchmark.parser().parse_args(timed(place, "MemNet", "FSRCNN", "VDSR", "Bicubic"))
    jobs = plan.inspected(plan.plan(args), material.Material())
    order = [job.method.name for job in sorted(jobs, key=row_by_row._cost)]
    assert order == ["Bicubic", "FSRCNN", "VDSR", "MemNet"]


# bytes of memory, then the program and its arguments
LIMITED = (
    "import os, resource, sys\n"
    "resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)


def run(root, arguments, limit=resource.RLIM_INFINITY):
    """Start the tool as a user does, with at most `limit` bytes of memory."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", LIMITED, str(limit), root / "tools/benchmark.py", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_a_row_that_dies_is_a_gap(root, place, monkeypatch):
    """DRRN on 192x192 pixels needs 9 GB by stock layers and has 2: Caffe ends the process, as it does on a GPU."""
    monkeypatch.setenv("CAFFE_CPU_ENGINE", "blas")
    asked = [*timed(place, "DRRN", "FSRCNN", "SRCNN-9-1-5"), "--datasets", "Large", "--tile", "600", "--repeats", "0"]
    process = run(root, asked, limit=2 << 30)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1, said
    rows = {row["method"]: row for row in read(place)["rows"]}
    assert rows["FSRCNN"]["seconds"] > 0 and rows["SRCNN-9-1-5"]["seconds"] > 0
    gap = rows["DRRN"]["gap"]
    assert gap.startswith("measuring it failed: Caffe ended with: Check failed: *ptr host allocation of size")
    assert gap.endswith("; smaller tiles (--tile) need less memory")
    assert "rows that failed, which the same command tries again: Large x3 DRRN: measuring it failed" in said
    assert "- gap: measuring it failed" in (place / "out/benchmark.md").read_text()
    asked[asked.index("600")] = "96"
    assert benchmark.main(asked) == 0  # smaller tiles, no limit: the row is measured, the others stay
    again = {row["method"]: row for row in read(place)["rows"]}
    assert again["DRRN"]["gap"] is None and again["FSRCNN"] == rows["FSRCNN"]


def test_stopping_keeps_what_is_there(root, place):
    """SIGTERM, as `timeout` sends it, in the second row: the first is there, and nothing runs on."""
    process = run(root, [*timed(place, "FSRCNN", "VDSR"), "--datasets", "Large", "--repeats", "500"])
    for line in process.stderr:
        if line.startswith("[1/2]"):
            break
    row = row_process(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert [row["method"] for row in read(place)["rows"]] == ["FSRCNN"]
    assert ended(row)


def row_process(process):
    """A pidfd of the process that measures a row for `process`, as soon as there is one."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for pid in children.read_text().split():
            return os.pidfd_open(int(pid))
        time.sleep(0.02)
    raise AssertionError("no process was started for the row")


def ended(pidfd, seconds=30):
    """Whether the process behind a pidfd ends in time: the kernel then makes the descriptor readable.

    Each row of these tests takes minutes; a process that was only just started looks for its parent when it begins.
    """
    try:
        return bool(select.select([pidfd], [], [], seconds)[0])
    finally:
        os.close(pidfd)


def test_a_kill_ends_the_row_s_process_and_the_next_start_cleans_up(root, place, monkeypatch):
    (place / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(place / "tmp"))
    process = run(root, [*timed(place, "FSRCNN", "VDSR"), "--datasets", "Large", "--repeats", "500"])
    for line in process.stderr:
        if line.startswith("[1/2]"):
            break
    row = row_process(process)
    process.kill()
    process.communicate(timeout=60)
    assert ended(row)
    dead = files.process_mark().replace(f"{os.getpid()}-", "999999999-", 1)
    (place / "out" / f".benchmark.{dead}-0.part.json").write_text("half")
    assert len(list((place / "tmp").iterdir())) == 1
    again = run(root, [*timed(place, "FSRCNN"), "--datasets", "Large", "--repeats", "500"])
    _, said = again.communicate(timeout=60)
    assert again.returncode == 0 and "[1/" not in said  # the row that was finished is kept
    assert list((place / "tmp").iterdir()) == []
    assert sorted(p.name for p in (place / "out").iterdir()) == ["benchmark.csv", "benchmark.json", "benchmark.md"]


def test_what_has_no_finite_value_is_not_measured_for_ever(place, capsys):
    """A flat picture's PSNR is infinite and a small one has no IFC: both are measured, and that is enough."""
    (place / "data/Flat").mkdir()
    cv2.imwrite(str(place / "data/Flat/flat.png"), np.full((48, 48), 77, np.uint8))
    asked = options(place, "--datasets", "Flat", "--methods", "Bicubic", "--tables", 2, 3, "--repeats", 0)
    assert benchmark.main(asked) == 0
    said = capsys.readouterr()
    assert "[1/1] Flat x3 Bicubic: inf dB" in said.err and "the mean PSNR is infinite" in said.out
    assert read(place)["rows"][0]["psnr"] is None
    assert benchmark.main(asked) == 0
    assert "[1/1]" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "stderr", "text"),
    [
        (
            -6,
            "a warning\n"
            "F1122 21:30:01.5 77 syncedmem.hpp:33] Check failed: error == cudaSuccess (2 vs. 0)  out of memory\n"
            "*** Check failure stack trace: ***\n    @ 0x7f google::Fail()",
            "Caffe ended with: Check failed: error == cudaSuccess (2 vs. 0) out of memory",
        ),
        (-9, "", "it was killed, most often because memory ran out"),
        (-11, "", "it was ended by SIGSEGV"),
        (2, "row_worker.py: /home/me/w/x.caffemodel: not a .caffemodel\n", "x.caffemodel: not a .caffemodel"),
        (1, "Traceback (most recent call last):\n  File ...\nMemoryError: no 3/4 of it", "MemoryError: no 3/4 of it"),
        (1, "", "exit status 1"),
    ],
)
def test_reasons(status, stderr, text):
    assert row_by_row.reason(status, stderr) == text


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        cli.run(lambda: benchmark.main(list(arguments)))
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_refusals(place, capsys):
    assert benchmark.main(timed(place, "ESPCN")) == 0
    before = (place / "out/benchmark.json").read_bytes()
    capsys.readouterr()
    line = refused(capsys, *timed(place, "FSRCNN"), "--edge", "symmetric")
    assert "benchmark.json: was measured with edge replicate, this run has symmetric; choose another folder" in line
    assert "--out" in line and "--fresh" in line
    assert (place / "out/benchmark.json").read_bytes() == before
    other = json.loads(before)
    other["meta"]["device"] = "another machine"
    (place / "out/benchmark.json").write_text(json.dumps(other))
    line = refused(capsys, *timed(place, "FSRCNN"))
    assert "was measured with device another machine, this run has" in line
    (place / "out/benchmark.json").write_text("{")
    line = refused(capsys, *timed(place, "FSRCNN"))
    assert "not a benchmark.json of tools/benchmark.py" in line and "--fresh replaces it" in line
    assert benchmark.main([*timed(place, "FSRCNN"), "--fresh"]) == 0
    assert [row["method"] for row in read(place)["rows"]] == ["FSRCNN"]


# --- going on ----------------------------------------------------------------------------------------------


def scored(place, *more):
    """Command line for two rows without times, ESPCN with weights on Tiny and Large."""
    return options(place, "--tables", 2, "--repeats", 0, "--methods", "ESPCN", "--datasets", "Tiny", "Large", *more)


@pytest.fixture
def espcn(place):
    """Gives ESPCN weights at x3 in the weights folder of `place`: a function of the factor of their first layer."""
    path = place / "weights/espcn/ESPCN_x3.caffemodel"
    path.parent.mkdir()
    net = runtime.build_net(METHODS["ESPCN"].build(3))
    random = net.params["conv1"][0].data.copy()

    def save(factor):
        net.params["conv1"][0].data[...] = random * factor
        net.save(str(path))

    save(1)
    return save


def stop_after(monkeypatch, rows):
    """Let Ctrl-C come when the row after these is begun."""
    begin = progress.Progress.begin

    def stop(self, name, images):
        begin(self, name, images)
        if self._number > rows:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.Progress, "begin", stop)


def figures(report):
    return [{name: row[name] for name in row if name not in ("peak_memory_mb", "spent")} for row in report["rows"]]


def test_an_interrupted_run_goes_on_to_the_same_figures(place, espcn, monkeypatch, capsys):
    assert benchmark.main(scored(place)) == 0
    whole = figures(read(place))
    for path in (place / "out").iterdir():
        path.unlink()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 1)
        benchmark.main(scored(place))
    first = reports.read_report(place / "out/benchmark.json")  # what is there is a report
    assert [row["dataset"] for row in first["rows"]] == ["Tiny"]
    capsys.readouterr()
    assert benchmark.main(scored(place)) == 0
    said = capsys.readouterr().err
    assert "[1/1] Large x3 ESPCN: " in said and "again" not in said
    assert sorted(map(str, figures(read(place)))) == sorted(map(str, whole))
    files = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (place / "out").iterdir()}
    assert benchmark.main(scored(place)) == 0
    said = capsys.readouterr()
    assert "every row was there, nothing is changed" in said.err and "| Large | x3 " in said.out
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (place / "out").iterdir()} == files
    (place / "out/benchmark.md").unlink()  # a file that is gone is written again
    assert benchmark.main(scored(place)) == 0 and (place / "out/benchmark.md").exists()


def test_other_weights_are_said_and_no_row_of_the_old_ones_stays(place, espcn, monkeypatch, capsys):
    """Stopped after the first row with the new weights: the report must not have the second with the old ones."""
    assert benchmark.main(scored(place)) == 0
    old = {row["dataset"]: row["psnr"] for row in read(place)["rows"]}
    capsys.readouterr()
    espcn(0.5)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 1)
        benchmark.main(scored(place))
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if "again" in line]
    assert line == "measured again, other weights than before: Tiny x3 ESPCN, Large x3 ESPCN" or line == (
        "measured again, other weights than before: Large x3 ESPCN, Tiny x3 ESPCN"
    )
    (row,) = read(place)["rows"]
    assert row["dataset"] == "Tiny" and row["psnr"] != old["Tiny"]
    assert benchmark.main(scored(place)) == 0
    new = {row["dataset"]: row["psnr"] for row in read(place)["rows"]}
    assert new["Tiny"] == row["psnr"] and new["Large"] != old["Large"]
    # a row that is not asked for now cannot stay beside other weights of its name
    espcn(1)
    capsys.readouterr()
    assert benchmark.main([*scored(place), "--datasets", "Tiny"]) == 0
    assert "left out, other weights than before: Large x3 ESPCN" in capsys.readouterr().err
    assert [(row["dataset"], row["psnr"]) for row in read(place)["rows"]] == [("Tiny", old["Tiny"])]


def test_other_images_and_another_setting_are_measured_again(place, espcn, capsys):
    asked = [*scored(place), "--datasets", "Tiny"]
    assert benchmark.main(asked) == 0
    first = read(place)["rows"][0]["psnr"]
    draw(place / "data/Tiny/one.png", 48, seed=7)
    capsys.readouterr()
    assert benchmark.main(asked) == 0
    assert "measured again, other images than before: Tiny x3 ESPCN" in capsys.readouterr().err
    second = read(place)["rows"][0]["psnr"]
    assert benchmark.main([*asked, "--protocol", "rgb"]) == 0
    assert "measured again, protocol was idn and is rgb: Tiny x3 ESPCN" in capsys.readouterr().err
    assert benchmark.main([*asked, "--edge", "symmetric"]) == 0  # no row would be kept: nothing to refuse
    assert "measured again, edge was replicate and is symmetric: Tiny x3 ESPCN" in capsys.readouterr().err
    third = read(place)
    assert third["meta"]["edge"] == "symmetric" and "earlier" not in third["meta"]
    assert len({first, second, third["rows"][0]["psnr"]}) == 3
    assert benchmark.main([*asked, "--edge", "symmetric", "--fresh"]) == 0
    said = capsys.readouterr().err
    assert "again" not in said and "[1/1] Tiny x3 ESPCN" in said


def test_a_row_without_its_pictures_is_not_complete(place, espcn, capsys):
    asked = [*scored(place), "--datasets", "Tiny", "--save-images"]
    picture = place / "out/images/Tiny_x3/ESPCN/one.png"
    assert benchmark.main(asked[:-1]) == 0 and not picture.exists()
    before = read(place)["rows"][0]
    for _ in range(2):
        capsys.readouterr()
        assert benchmark.main(asked) == 0 and picture.exists()
        assert "measured again, pictures missing: Tiny x3 ESPCN" in capsys.readouterr().err
        assert read(place)["rows"][0]["psnr"] == before["psnr"]
        picture.unlink()
    assert benchmark.main(asked) == 0
    capsys.readouterr()
    assert benchmark.main(asked) == 0 and "[1/1]" not in capsys.readouterr().err
    # the pictures of other weights are no pictures of this row
    espcn(0.5)
    assert benchmark.main(asked[:-1]) == 0
    old = picture.read_bytes()
    capsys.readouterr()
    assert benchmark.main(asked) == 0
    assert "pictures missing" in capsys.readouterr().err and picture.read_bytes() != old


def test_an_update_adds_rows_once(place, espcn, capsys):
    assert benchmark.main([*scored(place), "--datasets", "Large"]) == 0
    other = place / "other.json"
    (place / "out/benchmark.json").rename(other)
    asked = [*scored(place), "--datasets", "Tiny", "--update", str(other)]
    assert benchmark.main(asked) == 0
    assert {row["dataset"] for row in read(place)["rows"]} == {"Tiny", "Large"}
    capsys.readouterr()
    assert benchmark.main(asked) == 0
    assert "every row was there" in capsys.readouterr().err


def test_a_measurement_that_fails_takes_nothing_away(place, espcn, monkeypatch, capsys):
    asked = [*scored(place), "--datasets", "Tiny"]
    assert benchmark.main(asked) == 0
    before = read(place)["rows"]
    monkeypatch.setattr(row_by_row, "_talk", lambda *rest: (-9, "", ""))
    assert benchmark.main([*asked, "--tables", "4", "--repeats", "1"]) == 1
    said = capsys.readouterr().err
    assert "Tiny x3 ESPCN: measuring it failed: it was killed" in said and "every row was there" not in said
    assert read(place)["rows"] == before


def test_what_is_not_timed_runs_in_bounded_memory(place, espcn, monkeypatch):
    """With so little room that the net runs in windows the figures are the same; a timed forward is a whole one."""
    asked = [*scored(place), "--datasets", "Large", "--tables", "2", "3"]
    assert benchmark.main(asked) == 0
    whole = figures(read(place))[0]
    made, most = [], bounded.MOST
    windows = bounded.Bounded.windows

    def spied(self, shape):
        made.append(windows(self, shape))
        return made[-1]

    monkeypatch.setattr(bounded.Bounded, "windows", spied)
    a_pixel, besides = forward_memory.forward_bytes(METHODS["ESPCN"].load(3), METHODS["ESPCN"].build(3))
    monkeypatch.setattr(bounded, "MOST", int(2000 * a_pixel) + besides)  # of 64 x 64
    assert benchmark.main([*asked, "--fresh"]) == 0
    ((rows, columns),) = made
    assert len(rows.windows) * len(columns.windows) > 1 and most > bounded.MOST
    cut = figures(read(place))[0]
    for name in ("psnr", "ssim", "ifc"):  # last bits of a forward may differ with kernels for older processors
        assert cut[name] == pytest.approx(whole[name], abs=1e-3)
    made.clear()
    assert benchmark.main([*asked, "--fresh", "--repeats", "1"]) == 0
    assert made == []


def test_weights_that_have_diverged_or_are_none_stop_the_run(place, espcn, capsys):
    """One line and status 2; the rows that were there stay as they are, and good weights go on from them."""
    assert benchmark.main([*scored(place), "--datasets", "Tiny"]) == 0
    before = (place / "out/benchmark.json").read_bytes()
    path = place / "weights/espcn/ESPCN_x3.caffemodel"
    good = path.read_bytes()
    capsys.readouterr()
    espcn(np.nan)
    line = refused(capsys, *scored(place))
    assert "layer 'conv1' holds values that are not finite" in line and "diverged" in line
    assert (place / "out/benchmark.json").read_bytes() == before
    path.write_bytes(good[: len(good) // 2])
    assert "ESPCN_x3.caffemodel: not a .caffemodel that Caffe can read, or cut short" in refused(capsys, *scored(place))
    path.unlink()
    path.mkdir()
    assert "ESPCN_x3.caffemodel" in refused(capsys, *scored(place))
    assert (place / "out/benchmark.json").read_bytes() == before
    path.rmdir()
    path.write_bytes(good)
    assert benchmark.main(scored(place)) == 0
    said = capsys.readouterr().err
    assert "[1/1] Large x3 ESPCN: " in said and "again" not in said
    assert json.loads(before)["rows"][0] in read(place)["rows"]


def test_a_net_that_overflows_stops_scores_and_is_a_gap_among_times(place, espcn, capsys):
    """Finite weights whose forward is not: for scores one line and status 2, for a timed row a gap and status 1."""
    net = METHODS["ESPCN"].load(3, place / "weights/espcn/ESPCN_x3.caffemodel")
    net.params["conv3"][0].data[...] = 3e38
    net.save(str(place / "weights/espcn/ESPCN_x3.caffemodel"))
    asked = [*scored(place), "--datasets", "Tiny"]
    line = refused(capsys, *asked)
    assert "gives values that are not finite for one.png; these weights have diverged" in line
    assert not (place / "out/benchmark.json").exists()
    for _ in range(2):  # the gap is tried again, and stays
        assert benchmark.main([*asked, "--tables", "4", "--repeats", "1"]) == 1
        assert "rows that failed, which the same command tries again: Tiny x3 ESPCN: " in capsys.readouterr().err
        (row,) = read(place)["rows"]
        assert "measuring it failed: " in row["gap"] and "not finite for one.png" in row["gap"]
    espcn(1)
    assert benchmark.main([*asked, "--tables", "4", "--repeats", "1"]) == 0
    (row,) = read(place)["rows"]
    assert row["gap"] is None and row["seconds"] > 0


def test_a_killed_run_of_scores_goes_on(root, place, espcn):
    """kill -9 in the second row: the first is a whole report, and the same command gives the uninterrupted figures."""
    for number in range(40):  # long enough to be killed in
        draw(place / f"data/Large/{number}.png", 384, number)
    process = run(root, scored(place))
    for line in process.stderr:
        if line.startswith("[1/2] Tiny"):
            break
    process.kill()
    process.communicate(timeout=60)
    assert [row["dataset"] for row in reports.read_report(place / "out/benchmark.json")["rows"]] == ["Tiny"]
    first = (place / "out/benchmark.json").read_bytes()
    again = run(root, scored(place))
    _, said = again.communicate(timeout=300)
    assert again.returncode == 0 and "[1/1] Large x3 ESPCN: " in said and "Tiny" not in said
    rows = read(place)["rows"]
    assert json.loads(first)["rows"][0] in rows
    assert benchmark.main([*scored(place), "--fresh"]) == 0
    for one, other in zip(rows, read(place)["rows"]):
        for name in ("dataset", "psnr", "ssim", "images"):
            assert one[name] == pytest.approx(other[name]) if name == "psnr" else one[name] == other[name]


def test_order_of_the_tables():
    keys = [("Mine", 2, "IDN"), ("Set14", 2, "IDN"), ("Set5", 4, "VDSR"), ("Set5", 2, "IDN"), ("Set5", 2, "VDSR")]
    rows = [dict(zip(("dataset", "scale", "method"), key)) for key in keys]
    ordered = [reports.key(row) for row in sorted(rows, key=reports.place)]
    assert ordered == [keys[4], keys[3], keys[2], keys[1], keys[0]]
