"""tools/fetch.py as a user runs it."""

import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data_prep import weights
from data_prep.manifest import registry
from tools import fetch
from tools.common import cli


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the tool's main() as its script does; give exit status, output and error output."""

    def run_tool(*arguments, **variables):
        for name in ("DATA", "WEIGHTS", "FETCH_MIRROR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setattr(sys, "argv", ["fetch.py"])
        with pytest.raises(SystemExit) as end:
            cli.run(lambda: fetch.main([str(one) for one in arguments]))
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run_tool


def test_starts_as_a_script(root):
    done = subprocess.run([root / "tools/fetch.py", "--help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tools/fetch.py" in done.stdout


def places(tmp_path):
    return {"DATA": tmp_path / "data", "WEIGHTS": tmp_path / "weights"}


def test_reference_files_by_variable(run, shared, tmp_path):
    status, out, err = run("Set5", "weights", FETCH_MIRROR=shared, **places(tmp_path))
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"fetching 9 files, 10.6 MB, from {shared}",
        "Set5: 5 files: 5 fetched, 0 present, 0 differs, 0 failed; SHA-256 as in the manifest",
        "weights: 4 files: 4 fetched, 0 present, 0 differs, 0 failed; SHA-256 as in the manifest",
    ]
    assert (tmp_path / "weights/idn/IDN_x3.caffemodel").stat().st_size == 2217744
    status, out, _ = run("Set5", "--mirror", tmp_path / "empty", **places(tmp_path))
    assert status == 2  # a mirror that is named must exist, even when nothing is missing
    status, out, _ = run("Set5", "--mirror", shared, **places(tmp_path))
    assert status == 0
    assert out == "Set5: 5 files: 0 fetched, 5 present, 0 differs, 0 failed; SHA-256 as in the manifest\n"


def test_larger_sets_from_a_data_folder(run, shared, tmp_path):
    """FETCH_MIRROR may be the folder of the sets itself; the files keep the release's names and format."""
    status, out, err = run("BSD100", "Urban100", FETCH_MIRROR=shared / "data", **places(tmp_path))
    assert (status, err) == (0, "")
    assert "BSD100: 100 files: 100 fetched" in out and "Urban100: 100 files: 100 fetched" in out
    assert (tmp_path / "data/BSD100/101085.jpg").stat().st_size == 102655
    assert (tmp_path / "data/Urban100/img085.jpg").is_file()


def test_another_copy_of_a_set_is_refused(run, shared, tmp_path):
    """Other releases have BSD100 as PNG, and JPEG files that were saved once more."""
    shutil.copytree(shared / "data/BSD100", tmp_path / "mirror/BSD100")
    for number, path in enumerate(sorted((tmp_path / "mirror/BSD100").iterdir())):
        path.rename(path.with_suffix(".png")) if number else path.write_bytes(path.read_bytes() + b"\0")
    status, out, err = run("BSD100", "--mirror", tmp_path / "mirror", **places(tmp_path))
    assert (status, err.count("\n")) == (2, 1)
    assert "BSD100: 100 files: 0 fetched, 0 present, 0 differs, 100 failed" in out and "SHA-256" not in out
    assert "fetch.py: 100 of 100 files failed; the first: " in err and "101085.jpg: more than 102,655 bytes" in err
    assert not list((tmp_path / "data").rglob("*.*"))


def test_differing_file_is_an_error_and_kept(run, shared, tmp_path):
    target = tmp_path / "data/Set5/bird_GT.bmp"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    status, out, err = run("Set5", "--mirror", shared, **places(tmp_path))
    assert (status, target.read_bytes()) == (2, b"mine")
    assert "4 fetched, 0 present, 1 differs" in out
    assert err.startswith("fetch.py: 1 of 5 files differ from the manifest and were kept")
    assert err.count("\n") == 1
    assert run("Set5", "--mirror", shared, "--force", **places(tmp_path))[0] == 0
    assert target.stat().st_size == 248886


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Set6"], "fetch.py: Set6: no such set; expected 291, Set5, Set14, BSD100, Urban100, weights"),
        (["--mirror", "/nowhere/at/all"], "fetch.py: mirror /nowhere/at/all: no such folder"),
        (["Set5", "--mirror", "http://127.0.0.1:9", "--retries", "0"], "check the connection and run again"),
    ],
)
def test_mistakes_are_one_line(run, tmp_path, arguments, message):
    status, out, err = run(*arguments, **places(tmp_path))
    assert status == 2 and not out.count("\n", out.find("\n") + 1)  # one line at most, on what is to come
    assert message in err
    assert err.count("\n") == 1


def test_everything_is_announced_before_it_comes(run, tmp_path):
    """514 files of the manifest; the numbers of files that the paper's section 4.1 has, and four weight files."""
    (tmp_path / "mirror").mkdir()
    status, out, _ = run("--mirror", tmp_path / "mirror", **places(tmp_path))
    first, *sets = out.splitlines()
    assert (status, first) == (2, f"fetching {291 + 5 + 14 + 100 + 100 + 4} files, 106.8 MB, from {tmp_path}/mirror")
    assert [line.split(":")[0] for line in sets] == ["291", "Set5", "Set14", "BSD100", "Urban100", "weights"]


def test_set_that_the_mirror_has_not(run, tmp_path):
    (tmp_path / "mirror/data/Set5").mkdir(parents=True)
    status, _, err = run("BSD100", "--mirror", tmp_path / "mirror", **places(tmp_path))
    assert (status, err.count("\n")) == (2, 1)
    assert "100 of 100 files failed; the first: mirror " in err
    assert "has neither test/test_data/B100/101085.jpg nor data/BSD100/101085.jpg" in err


# --- published weights of the compared methods ----------------------------------------------------------------------


def test_weights_of_a_method(run, shared, tmp_path):
    status, out, err = run("--method", "vdsr", "LapSRN", "--mirror", shared, **places(tmp_path))
    assert (status, err) == (0, "")
    assert "VDSR: vdsr/VDSR_Official.mat: fetched; SHA-256 as in the manifest; licence: the authors' weights" in out
    assert "LapSRN: cite Lai, Huang, Ahuja, Yang: Deep Laplacian" in out
    names = sorted(p.relative_to(tmp_path).as_posix() for p in (tmp_path / "weights").rglob("*.*"))
    assert names == [
        *(f"weights/lapsrn/LapSRN_x{scale}.mat" for scale in (2, 4, 8)),
        "weights/vdsr/VDSR_Adam.caffemodel",
        "weights/vdsr/VDSR_Official.mat",
    ]
    assert "vdsr/VDSR_Official.mat: present" in run("--method", "VDSR", "--mirror", shared, **places(tmp_path))[1]


def test_method_whose_weights_are_not_offered_as_files(run, tmp_path):
    status, out, err = run("--method", "DRCN", **places(tmp_path))
    assert status == 2
    assert "DRCN: drcn/DRCN_x2.mat is not fetched; see https://cv.snu.ac.kr/research/DRCN/" in out
    assert err == "fetch.py: DRCN: nothing to fetch; put the files named above into the weights folder\n"


def test_weights_that_nobody_has_pinned_are_not_fetched(run, tmp_path):
    status, out, err = run("--method", "DRRN", "--mirror", tmp_path, **places(tmp_path))
    assert (status, err) == (2, "fetch.py: DRRN: nothing to fetch; put the files named above into the weights folder\n")
    name = "DRRN_B1U25_52C128_iter_660136.caffemodel"
    assert f"DRRN: drrn/{name} is not fetched; see https://github.com/tyshiwo/DRRN_CVPR17 (model/{name} there" in out


def test_weights_that_the_mirror_has_not(run, tmp_path):
    status, out, err = run("--method", "LapSRN", "--mirror", tmp_path, **places(tmp_path))
    assert status == 2 and err.count("\n") == 1
    assert "has neither pretrained_models/LapSRN_x2.mat nor weights/lapsrn/LapSRN_x2.mat" in err


def test_weights_that_are_not_the_pinned_ones(run, tmp_path):
    (tmp_path / "mirror/weights/vdsr").mkdir(parents=True)
    for name in ("VDSR_Official.mat", "VDSR_Adam.caffemodel"):
        (tmp_path / "mirror/weights/vdsr" / name).write_bytes(b"mine")
    status, _, err = run("--method", "VDSR", "--mirror", tmp_path / "mirror", **places(tmp_path))
    assert status == 2 and "SHA-256" in err and err.count("\n") == 1
    assert not list((tmp_path / "weights").rglob("*.mat"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "EDSR"], "fetch.py: EDSR: no such method; expected IDN, IDN-MSCOCO, VDSR, LapSRN, DRCN, DRRN, "),
        (["Set5", "--method", "VDSR"], "fetch.py: --method: takes no sets beside it, got Set5; run the tool twice"),
    ],
)
def test_mistaken_methods_are_one_line(run, tmp_path, arguments, message):
    status, out, err = run(*arguments, **places(tmp_path))
    assert (status, out) == (2, "")
    assert err.startswith(message) and err.count("\n") == 1


def test_registry_is_complete():
    for model in weights.models():
        # a folder for each method; the second file of IDN's release lies beside the first
        folder = {"IDN-MSCOCO": "idn"}.get(model.method, model.method.lower())
        assert model.file.startswith(f"{folder}/") and model.licence and weights.citation(model.method)
        assert model.entry is None or model.entry.release.startswith(f"{model.page}/")
        assert model.entry or model.note  # for what is not fetched there is a word on how to get it
    pinned = {entry.destination for entry in registry() if entry.destination.startswith("weights/")}
    assert {model.entry.destination for model in weights.models() if model.entry} == pinned and len(pinned) == 9


# --- a mirror that is not what it seems -----------------------------------------------------------------------------


@pytest.fixture
def lying_mirror():
    """A web server that answers every question with the same text: its address, with a password."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = b'<a href="..%2F..%2Fpwned%2Fevil.jpg">'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://me:s3cret@127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_mirror_that_has_something_else(run, lying_mirror, tmp_path):
    status, out, err = run("BSD100", "--mirror", lying_mirror, "--data-dir", tmp_path / "one/two/data")
    assert (status, err.count("\n")) == (2, 1)
    assert "100 of 100 files failed; the first: test/test_data/B100/101085.jpg: SHA-256 " in err
    assert "s3cret" not in out + err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
