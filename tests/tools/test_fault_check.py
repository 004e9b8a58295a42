"""tools/fault_check.py: its judge can fail and pass, its pictures are what they say, its cases come from the seed."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tools import fault_check
from tools.common.errors import UserError
from tools.fault_checks import catalogue, damage, drawing, enlarging, judge, pictures, report, session
from tools.fault_checks.case import Skipped, Trial, trial
from tools.fault_checks.lab import SPACE, Lab
from tools.fault_checks.process import Run

LINE = "upscale.py: a.png: not a picture; expected PNG\n"


@pytest.fixture
def lab(root, tmp_path):
    return Lab(root, tmp_path / "trial", "tests", seed=3)


def program(lab, code, *arguments, memory=SPACE, timeout=60):
    """Run Python code in the lab as a tool is run."""
    return lab.start(sys.executable, "-c", code, *arguments, memory=memory).wait(timeout)


# --- the judge --------------------------------------------------------------------------------------------


def test_one_line_with_status_2_is_a_refusal():
    assert judge.refused(Run("x", 2, err=LINE), "a.png") == []
    assert judge.done_or_refused(Run("x", 2, err=LINE), "a.png") == []


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (Run("x", 1, err=LINE), "status 1, expected 2"),
        (Run("x", 0), "status 0, expected 2"),
        (Run("x", 2), "0 lines on standard error"),
        (Run("x", 2, err=LINE + LINE), "2 lines on standard error"),
        (Run("x", 2, err=LINE.replace("a.png", "it")), "names none of a.png"),
        (Run("x", 1, err='Traceback (most recent call last):\n  File "x"\nKeyError: 3\n'), "a traceback: KeyError: 3"),
        (Run("x", -6, err="F20261125 15:00:00.1 7 io.cpp:69] Check failed: x\n"), "ended by SIGABRT"),
        (Run("x", 134), "SIGABRT"),
        (Run("x", 2, err=LINE, late=True), "did not end"),
        (Run("x", 2, err=LINE, left=("tmp/x",)), "left behind: tmp/x"),
        (Run("x", 2, err=LINE, children=("python x",)), "still running: python x"),
        (Run("x", 2, err="[ERROR:0@1.5] global grfmt_tiff.cpp:116 TIFF_Error\n"), "noise"),
        (Run("x", 2, err="libpng warning: iCCP: a.png\n"), "noise"),
    ],
)
def test_everything_else_is_a_fault(run, said):
    assert any(said in fault for fault in judge.refused(run, "a.png")), judge.refused(run, "a.png")


def test_what_is_done():
    assert judge.done(Run("x", 0, out="a.png\n")) == []
    assert judge.done(Run("x", 0, err="written: a.png\n")) == []
    assert "said written" in judge.done(Run("x", 0, err="written: a.png\n"), quiet=True)[0]
    assert "status 1, expected 0" in judge.done(Run("x", 1, err=LINE))[0]
    assert judge.done(Run("x", 0, err="x.py:3: UserWarning: odd\n"))


def test_memory_and_json(tmp_path):
    assert judge.within(Run("x", 0, peak_mb=299), 300) == []
    assert judge.within(Run("x", 0, peak_mb=301), 300) == ["took 301 MB, expected at most 300"]
    path = tmp_path / "a.json"
    assert judge.strict_json(path) == ["a.json is missing"]
    for text, right in (('{"psnr": 1.5}', True), ('{"psnr": NaN}', False), ('{"psnr": Infinity}', False), ("{", False)):
        path.write_text(text)
        assert (judge.strict_json(path) == []) == right


def test_a_wrong_pixel_is_seen():
    """One level is rounding; more, another depth, other channels and another size are faults."""
    right = np.full((6, 8, 3), 100, np.uint8)
    one, two = right.copy(), right.copy()
    one[2, 3, 1] += 1
    two[2, 3, 1] += 2
    assert pictures.differences((one, None), (right, None), 0) == []
    assert "differ by 2.0 levels" in pictures.differences((two, None), (right, None), 0)[0]
    assert pictures.differences((two, None), (right, None), 1) == []
    for other in (right.astype(np.uint16), right[..., 0], right[:5]):
        assert "expected 8x6 RGB uint8" in pictures.differences((other, None), (right, None), 0)[0]
    alpha = np.full((6, 8), 255, np.uint8)
    assert "with alpha" in pictures.differences((right, alpha), (right, None), 0)[0]
    assert "alpha differs by 55.0" in pictures.differences((right, alpha - 55), (right, alpha), 0)[0]


def test_a_picture_that_was_not_written_or_wrongly(tmp_path, lab):
    scene = drawing.Scene(np.random.default_rng(1))
    picture = drawing.pngs(scene)[0]
    no = enlarging.Answer(None, "upscale.py: skipped a.png: no", (), None)
    assert pictures.compared(picture, no) == ["refused: upscale.py: skipped a.png: no"]
    assert pictures.compared(replace(picture, optional=True), no) == []
    large, _ = pictures.enlarged(picture.pixels)
    for content, right in ((large, True), (255 - large, False)):
        path = tmp_path / "out.png"
        path.write_bytes(drawing.plain_png(content))
        assert (pictures.compared(picture, enlarging.Answer(path, None, (), None)) == []) == right


# --- processes --------------------------------------------------------------------------------------------


def test_a_run_is_seen_as_it_was(lab):
    run = program(lab, "import sys, time; print('out'); print('err', file=sys.stderr); time.sleep(0.2); sys.exit(3)")
    assert (run.status, run.out, run.err, run.lines) == (3, "out\n", "err\n", ["err"])
    assert run.left == () and run.children == () and not run.late and 5 < run.peak_mb < 200
    assert list(lab.logs.iterdir()) == []


def test_files_and_children_left_behind_are_seen(lab):
    code = (
        "import os, pathlib, subprocess, sys, tempfile\n"
        "pathlib.Path('.a.7.part.png').write_text('x')\n"
        "tempfile.NamedTemporaryFile(delete=False)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        "print(child.pid)"
    )
    run = program(lab, code)
    assert len(run.left) == 2 and ".a.7.part.png" in run.left
    assert len(run.children) == 1 and "time.sleep(60)" in run.children[0]
    assert judge.done(run)
    child = Path(f"/proc/{run.out.strip()}/stat")
    until = time.monotonic() + 10  # it was ended; whoever inherits it may take a moment to bury it
    while child.exists() and child.read_text().split()[2] != "Z" and time.monotonic() < until:
        time.sleep(0.02)
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_time_and_memory_are_limited(lab):
    run = program(lab, "import time; time.sleep(60)", timeout=0.5)
    assert run.late and run.seconds < 10 and "did not end" in judge.done(run)[0]
    run = program(lab, "x = bytearray(2 << 30)", memory=1 << 30)
    assert "a traceback: MemoryError" in judge.done(run)[0]
    run = program(lab, "import time; x = bytearray(b'1') * (200 << 20); time.sleep(0.3)")
    assert 200 <= run.peak_mb < 400


def test_other_processes_are_left_alone(lab):
    """A process of the same command line that nobody here started."""
    code = "import time; time.sleep(30)"
    other = subprocess.Popen([sys.executable, "-c", code])
    try:
        program(lab, code, timeout=0.3)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_small_disk_fills_and_goes(lab):
    try:
        with lab.small_disk(50) as disk:
            with pytest.raises(OSError, match="No space left"):
                (disk / "a").write_bytes(bytes(100_000))
            raise KeyError  # whatever happens on it
    except Skipped as why:
        pytest.skip(str(why))
    except KeyError:
        assert str(disk) not in Path("/proc/mounts").read_text()


def test_the_users_own_settings_do_not_matter(lab, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("DATA", "/elsewhere")
    code = "import os; print(os.environ.get('OMP_NUM_THREADS'), os.environ.get('DATA'), os.environ['TMPDIR'])"
    assert program(lab, code).out.split() == ["1", "None", str(lab.folder / "tmp")]


# --- pictures ---------------------------------------------------------------------------------------------


def scene(seed=5):
    return drawing.Scene(np.random.default_rng(seed), 24, 36)


def test_png_pixels_are_what_libpng_reads():
    """OpenCV brings libpng; it gives alpha where a PNG has a channel of its own for it or a palette with one."""
    for picture in drawing.pngs(scene()):
        if "key" in picture.name or "la" in picture.name:
            continue
        read = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_UNCHANGED)
        pixels = read if read.ndim == 2 else read[..., 2::-1]
        if picture.pixels.ndim == 2 and pixels.ndim == 3:
            pixels = pixels[..., 0]
        np.testing.assert_array_equal(pixels, picture.pixels, err_msg=picture.name)
        if picture.alpha is not None and read.ndim == 3:
            np.testing.assert_array_equal(read[..., 3], picture.alpha, err_msg=picture.name)


# not gray of 2 and 4 bits with a transparent level: Pillow compares it with the level after spreading it to 8 bits
@pytest.mark.parametrize("name", ["gray1_key", "gray8_key", "rgb8_key", "palette_alpha", "la8", "rgba8"])
def test_transparent_png_pixels_are_what_pillow_reads(name):
    (picture,) = (p for p in drawing.pngs(scene()) if p.name == f"png_{name}.png")
    read = np.asarray(Image.open(io.BytesIO(picture.content)).convert("RGBA"))
    pixels = picture.pixels if picture.pixels.ndim == 3 else np.dstack([picture.pixels] * 3)
    np.testing.assert_array_equal(read[..., 3], picture.alpha)
    np.testing.assert_array_equal(read[..., :3], pixels)


def test_tiff_pixels_are_what_tifffile_stores():
    """White as zero, planes and premultiplied alpha are undone here by their definition (TIFF 6.0)."""
    for picture in drawing.tiffs(scene()):
        if picture.pixels is None or picture.name.startswith(("tif_jpeg", "tif_lab", "tif_cmyk", "tif_bits")):
            continue
        if picture.name in ("tif_tiff_lzw.tif", "tif_packbits.tif"):
            continue  # tifffile has no decoder for them
        with tifffile.TiffFile(io.BytesIO(picture.content)) as file:
            page = file.pages[0]
            stored = page.asarray()
            if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
                stored = np.iinfo(stored.dtype).max - stored
            if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
                stored = stored.transpose(1, 2, 0)
            if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
                stored = (page.colormap[:, stored].transpose(1, 2, 0) // 257).astype(np.uint8)
            channels = 1 if picture.pixels.ndim == 2 else 3
            pixels = stored[..., :3] if channels == 3 else stored.reshape(*picture.pixels.shape, -1)[..., 0]
            if "premultiplied" in picture.name:
                share = picture.alpha / np.iinfo(picture.alpha.dtype).max
                pixels = np.round(pixels / (share if channels == 1 else share[..., None]))
            level = 257 if picture.pixels.dtype == np.uint16 else 1
            far = np.abs(pixels.astype(float) - picture.pixels).max() / level
            assert far <= picture.tolerance, picture.name


def test_netpbm_values_span_the_range():
    rng = np.random.default_rng(1)
    for picture in drawing.netpbms(scene(), rng):
        header = picture.content.split(b"\n")
        if picture.name.endswith("pbm"):
            continue
        maximum = int(header[3])
        assert picture.pixels.dtype == (np.uint8 if maximum <= 255 else np.uint16)
        assert picture.pixels.max() > np.iinfo(picture.pixels.dtype).max * 0.4, picture.name
    white = drawing.netpbm(np.full((2, 2), 1023), 1023)
    assert white == b"P5\n# drawn\n2 2\n1023\n" + b"\x03\xff" * 4


def test_orientations_are_exifs():
    """EXIF 2.3, table of the tag Orientation: where row 0 and column 0 of what is stored are shown."""
    img = np.array([[1, 2, 3], [4, 5, 6]])
    # 1 stands at: top left, top right, bottom right, bottom left, left top, right top, right bottom, left bottom
    corners = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    for number, corner in corners.items():
        turned = drawing.shown(img, number)
        assert turned[corner] == 1 and turned.shape == ((2, 3) if number < 5 else (3, 2)), number
    assert drawing.shown(img, 6).tolist() == [[4, 1], [5, 2], [6, 3]]
    assert drawing.shown(img, 5).tolist() == img.T.tolist()


def test_pages_are_there():
    for picture in drawing.paged(scene(), 4):
        with Image.open(io.BytesIO(picture.content)) as image:
            assert image.n_frames == picture.pages == 4
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), picture.pixels)


def test_what_is_written_is_read_again(tmp_path):
    s = scene()
    for pixels, alpha in ((s.rgb, None), (s.gray, s.alpha), (s.rgb16, s.alpha16), (s.gray16, None)):
        (tmp_path / "a.png").write_bytes(drawing.plain_png(pixels, alpha))
        read, read_alpha = drawing.read_png(tmp_path / "a.png")
        np.testing.assert_array_equal(read, pixels)
        assert (read_alpha is None) == (alpha is None)
        if alpha is not None:
            np.testing.assert_array_equal(read_alpha, alpha)


@given(st.binary(min_size=8, max_size=300), st.integers(0, 2**32 - 1))
def test_damage_is_drawn_from_the_seed(content, seed):
    first, second = (damage.damaged(content, np.random.default_rng(seed), 60) for _ in range(2))
    assert first == second and first[0]


# --- trials and the report --------------------------------------------------------------------------------


def test_kinds_are_many_and_different():
    kinds = [one.kind for one in catalogue.every()]
    assert len(kinds) == len(set(kinds)) >= 50
    assert all(one.about and not one.about.endswith(".") for one in catalogue.every())
    long = {one.kind for one in catalogue.chosen(None, True)} - {one.kind for one in catalogue.chosen(None, False)}
    assert long == {one.kind for one in catalogue.every() if one.slow} and long
    assert [one.kind for one in catalogue.chosen(["net*", "busy-machine"], False)] == ["netpbm", "busy-machine"]
    with pytest.raises(UserError, match="--only nothing: no such kind"):
        catalogue.chosen(["png", "nothing"], False)


def test_numbers_depend_on_seed_and_kind_alone(root, tmp_path):
    def drawn(seed, kind):
        return Lab(root, tmp_path, kind, seed).rng.integers(0, 2**62, 4).tolist()

    assert drawn(1, "a") == drawn(1, "a")
    assert drawn(1, "a") != drawn(2, "a") and drawn(1, "a") != drawn(1, "b")


@trial("good")
def good(lab):
    """A kind that passes"""
    yield lab.result("one", [])


@trial("bad")
def bad(lab):
    """A kind that fails, breaks and is left out"""
    lab.write("evidence.txt", "x")
    yield lab.result("two", [f"{lab.folder}/x was left"], program(lab, "pass"))
    raise RuntimeError("a mistake of the trial's own")


def not_here(lab):
    """A kind that cannot be tried"""
    raise Skipped("no root")
    yield


def arguments(tmp_path, *more):
    return fault_check.parser().parse_args(["--jobs", "1", "--keep", str(tmp_path / "kept"), *more])


def test_all_are_tried_whatever_happens(tmp_path, capsys):
    args = arguments(tmp_path, "--verbose", "--seed", "7")
    found = session.run([bad, good, Trial("away", not_here, False)], args)
    assert [(one.kind, len(one.results), len(one.failed), one.skipped) for one in found] == [
        ("bad", 2, 2, []), ("good", 1, 0, []), ("away", 0, 0, ["no root"]),
    ]  # fmt: skip
    said = capsys.readouterr().err
    assert "FOLDER/x was left" in said and "broke: RuntimeError: a mistake" in said and "passed one" in said
    assert (tmp_path / "kept/bad/evidence.txt").read_text() == "x"
    made = report.make(found, args, ["--seed", "7"])
    assert made["kinds"][0]["faults"][0]["again"] == "tools/fault_check.py --only bad --seed 7 --keep kept"
    assert len(made["meta"]["commit"]) in (7, 40)
    baseline = {**made, "kinds": [{**row, "failed": 5, "cases": 9} for row in made["kinds"][:1]]}
    table = report.table(made, baseline)
    assert "| bad " in table and "5 of 9" in table and "| all " in table
    paths = report.write(made, baseline, tmp_path / "out")
    assert report.read(paths[0]) == json.loads(json.dumps(made))
    page = paths[1].read_text()
    assert "`tools/fault_check.py --seed 7`" in page and "- away: no root" in page and "- bad: two: " in page
    assert str(tmp_path) not in page


def test_kinds_that_were_not_tried_again_stay(tmp_path):
    args = arguments(tmp_path)
    first = report.make(session.run([good, bad], args), args, ["first"])
    second = report.make(session.run([good], args), args, ["second"])
    both = report.updated(second, first, ["bad", "good"])
    assert [row["kind"] for row in both["kinds"]] == ["bad", "good"]
    assert both["meta"]["earlier"] == first["meta"] and "`tools/fault_check.py first`" in report.page(both)


def test_what_measures_seconds_is_alone(tmp_path):
    running = []

    def busy(lab):
        """A kind beside others"""
        running.append(1)
        time.sleep(0.3)
        running.append(-1)
        yield lab.result("x", [])

    def quiet(lab):
        """A kind that is alone"""
        yield lab.result("x", ["not alone"] if sum(running) else [])

    trials = [Trial("quiet", quiet, alone=True), Trial("one", busy), Trial("two", busy)]
    args = fault_check.parser().parse_args(["--jobs", "3"])
    found = session.run(trials, args)
    assert [(one.kind, len(one.failed)) for one in found] == [("quiet", 0), ("one", 0), ("two", 0)]
    assert len(running) == 4


def test_a_baseline_that_is_none(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("[]")
    with pytest.raises(UserError, match="not a faults.json"):
        report.read(path)


def command(root, *words):
    return subprocess.run([root / "tools/fault_check.py", *words], capture_output=True, text=True, timeout=120)


def test_status_is_that_of_what_was_found(root, tmp_path, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    for one, status in ((good, 0), (bad, 1)):
        monkeypatch.setattr(catalogue, "chosen", lambda *_, one=one: [one])
        assert fault_check.main(["--jobs", "1", "--out", str(tmp_path)]) == status
        assert signal.getsignal(signal.SIGTERM) == before  # cli.run, not main, takes it
    assert "| bad " in capsys.readouterr().out
    assert command(root, "--only", "nothing").returncode == 2
    assert "make setup" in command(root, "--checkout", str(tmp_path)).stderr
    listed = command(root, "--list")
    assert listed.returncode == 0 and "damaged-tif " in listed.stdout


def test_a_kind_on_the_tools_of_this_checkout(root):
    """Plain PNGs come out right, from the command line to the tool's own pixels and back."""
    done = command(root, "--only", "plain", "--cases", "2", "--verbose")
    assert done.returncode == 0, done.stderr
    assert "plain: 8 cases, 0 failed" in done.stderr


def test_results_name_no_folder_of_this_machine(lab, root):
    run = program(lab, "pass", lab.folder / "a b", root / "tools", f"{lab.folder}/bin:{os.environ['PATH']}")
    result = lab.result("c", [f"{lab.folder}/x was left"], run)
    assert result.faults == ("FOLDER/x was left",) and result.failed and not lab.result("c", []).failed
    assert result.command.endswith(" -c pass 'FOLDER/a b' tools 'FOLDER/bin:$PATH'")
