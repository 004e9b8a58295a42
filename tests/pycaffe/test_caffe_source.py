"""caffe_source.py: the digest does not depend on where a source comes from, and every doubt is an error."""

import hashlib
import os
import subprocess
import sys

import pinned_source
import pytest
import source_download
from pinned_source import SourceError, digest

# what a download of nothing asks: a port that nobody listens on
NOWHERE = "http://127.0.0.1:9/caffe.tar.gz"


@pytest.fixture
def everything(small_source):
    """The small source with files around it that the digest does not cover."""
    return {**small_source, "docs/index.md": b"hello\n", "src/caffe/blob.o": b"\x7fELF", "README.md": b"Caffe\n"}


@pytest.fixture
def quiet(source, monkeypatch):
    """`obtain` that says nothing, asks no package archive, and downloads as on a machine without apt."""
    monkeypatch.setattr(source_download, "APT_HELPER", "/proc/nowhere")

    def obtain(**options):
        return source.obtain(**{"pool": [], "github": NOWHERE, "say": lambda line: None, **options})

    return obtain


# the digest -------------------------------------------------------------------------------------------------


def test_the_pin_belongs_to_the_committed_manifest(root):
    import caffe_source

    text = (root / "pycaffe" / "upstream.sha256").read_bytes()
    assert hashlib.sha256(text).hexdigest() == caffe_source.PIN["content_sha256"]
    paths = [line.split("  ")[1] for line in text.decode().splitlines()]
    assert paths == sorted(paths) and len(paths) > 400
    assert all(caffe_source.CAFFE.covered(path) for path in paths)


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("src/caffe/layers/conv_layer.cpp", True),
        ("src/caffe/layers/conv_layer.cu", True),
        ("src/caffe/test/test_data/sample_data.h5", True),
        ("src/caffe/test/test_data/sample_data_list.txt", True),
        ("python/caffe/io.py", True),
        ("examples/mnist/lenet.prototxt", True),
        ("src/caffe/CMakeLists.txt", False),
        ("python/caffe/_caffe.so", False),
        ("examples/mnist/train_lenet.sh", False),
        ("matlab/+caffe/io.m", False),
    ],
)
def test_what_the_digest_covers(path, covered):
    import caffe_source

    assert caffe_source.CAFFE.covered(path) is covered


@pytest.mark.parametrize("top", ["", "caffe-99bd99795dcdf0b1d3086a8d67ab1782a8a08383/", "./"])
def test_folder_and_tarballs_have_one_digest(source, everything, make_folder, make_tar, small_source, tmp_path, top):
    folder = source.read(make_folder(tmp_path / "folder", everything))
    tarball = source.read(make_tar(tmp_path / "caffe.tar.gz", everything, top))
    assert folder == tarball == small_source
    assert digest(folder) == source.pin["content_sha256"]


def test_the_real_tarball_is_the_pinned_source(shared, make_tar, make_folder, tmp_path):
    """Debian's tarball, unpacked to a folder, packed as GitHub packs it: one digest."""
    import caffe_source

    (tarball,) = (shared / "vendor").glob("caffe_*.tar.gz")
    files = caffe_source.CAFFE.read(tarball)
    caffe_source.CAFFE.verify(files, tarball)
    folder = make_folder(tmp_path / "folder", files)
    github = make_tar(tmp_path / "github.tar.gz", files, top=f"caffe-{caffe_source.PIN['commit']}/")
    assert digest(caffe_source.CAFFE.read(folder)) == caffe_source.PIN["content_sha256"]
    assert digest(caffe_source.CAFFE.read(github)) == caffe_source.PIN["content_sha256"]


def test_a_changed_byte_is_found_and_named(source, small_source):
    changed = {**small_source, "src/caffe/blob.cpp": b"// a blot\n"}
    with pytest.raises(SourceError, match=r"my folder: not the pinned.*changed: src/caffe/blob\.cpp;") as error:
        source.verify(changed, "my folder")
    assert f"expected content digest {source.pin['content_sha256']}, got {digest(changed)}" in str(error.value)


def test_missing_and_extra_files_are_named(source, small_source):
    files = {**small_source, "python/caffe/proto/caffe_pb2.py": b"", "src/caffe/a.cpp": b"", "src/caffe/b.cpp": b""}
    files["src/caffe/c.cpp"] = files.pop("include/caffe/blob.hpp")
    text = source.differences(files)
    assert "missing: include/caffe/blob.hpp" in text
    assert "extra: python/caffe/proto/caffe_pb2.py, src/caffe/a.cpp, src/caffe/b.cpp and 1 more" in text
    assert "changed" not in text


# what cannot be read ----------------------------------------------------------------------------------------


def test_refusals_of_reading(source, everything, make_tar, tmp_path):
    with pytest.raises(SourceError, match="nowhere: no such file or folder; set CAFFE_SOURCE to a folder"):
        source.read(tmp_path / "nowhere")
    page = tmp_path / "page.tar.gz"
    page.write_text("<html>log in first</html>")
    with pytest.raises(SourceError, match=r"page\.tar\.gz: not a tarball that can be read"):
        source.read(page)
    whole = make_tar(tmp_path / "whole.tar.gz", everything).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"cut\.tar\.gz: not a tarball that can be read"):
        source.read(tmp_path / "cut.tar.gz")
    other = make_tar(tmp_path / "other.tar.gz", {"setup.py": b""})
    with pytest.raises(SourceError, match=r"no Caffe source, src/caffe/proto/caffe\.proto is not in it"):
        source.read(other)


# the order --------------------------------------------------------------------------------------------------


def test_caffe_source_comes_first(source, quiet, everything, make_tar, server, small_source, tmp_path):
    tarball = make_tar(tmp_path / "mine.tar.gz", everything)
    assert quiet(source=tarball, cache=tmp_path / "cache", github=server.url + "/a") == small_source
    assert quiet(cache=tmp_path / "cache", github=server.url + "/a") == small_source  # kept for the next time
    assert server.asked == []


def test_a_wrong_caffe_source_is_not_passed_over(source, quiet, everything, make_tar, tmp_path):
    make_tar(tmp_path / "cache" / f"source-{source.pin['content_sha256'][:16]}.tar.gz", everything)
    wrong = make_tar(tmp_path / "mine.tar.gz", {**everything, "LICENSE": b"mine\n"})
    with pytest.raises(SourceError, match=r"CAFFE_SOURCE=.*mine\.tar\.gz: not the pinned.*changed: LICENSE"):
        quiet(source=wrong, cache=tmp_path / "cache")
    with pytest.raises(SourceError, match="gone: no such file"):
        quiet(source=tmp_path / "gone", cache=tmp_path / "cache")


def test_github_then_cache(quiet, everything, make_tar, server, small_source, tmp_path):
    make_tar(tmp_path / "www" / "github.tar.gz", everything, top="caffe-99bd997/")
    for _ in range(2):
        assert quiet(cache=tmp_path / "cache", github=server.url + "/github.tar.gz") == small_source
    assert server.asked == ["/github.tar.gz"]  # the second time from the cache
    assert [p.suffix for p in (tmp_path / "cache").iterdir()] == [".gz"]  # and nothing half-written


def test_the_pool_when_github_does_not_answer(quiet, everything, make_tar, server, small_source, tmp_path):
    make_tar(tmp_path / "www" / "pool" / "main" / "caffe.orig.tar.gz", everything)
    pool = [server.url + "/pool/contrib/caffe.orig.tar.gz", server.url + "/pool/main/caffe.orig.tar.gz"]
    said = []
    files = quiet(cache=tmp_path / "cache", github=server.url + "/none", pool=pool, say=said.append)
    assert files == small_source
    assert server.asked == ["/none", "/pool/contrib/caffe.orig.tar.gz", "/pool/main/caffe.orig.tar.gz"]
    assert said == [f"Caffe source: {pool[1]}"]


@pytest.mark.skipif(not os.path.exists("/usr/lib/apt/apt-helper"), reason="no apt on this machine")  # noqa: PTH110
def test_the_pool_is_read_by_apt_itself(source, everything, make_tar, server, tmp_path):
    made = make_tar(tmp_path / "www" / "caffe.orig.tar.gz", everything)
    assert source_download.download_by_apt(server.url + "/caffe.orig.tar.gz") == made.read_bytes()
    with pytest.raises(OSError, match="404|Failed to fetch"):
        source_download.download_by_apt(server.url + "/absent.tar.gz")


def test_a_download_of_something_else_is_an_error(quiet, source, everything, make_tar, server, tmp_path):
    make_tar(tmp_path / "www" / "other.tar.gz", {**everything, "tools/caffe.cpp": b"int main() { evil(); }\n"})
    url = server.url + "/other.tar.gz"
    with pytest.raises(SourceError, match=rf"{url}: not the pinned Caffe source.*changed: tools/caffe\.cpp"):
        quiet(cache=tmp_path / "cache", github=url)
    assert not (tmp_path / "cache").exists()


def test_a_log_in_page_is_passed_over(quiet, everything, make_tar, server, small_source, tmp_path):
    (tmp_path / "www" / "github.tar.gz").write_text("<html>log in first</html>")
    make_tar(tmp_path / "www" / "pool.tar.gz", everything)
    files = quiet(
        cache=tmp_path / "cache", github=server.url + "/github.tar.gz", pool=[server.url + "/pool.tar.gz"]
    )
    assert files == small_source


def test_a_damaged_cache_is_made_anew(quiet, source, everything, make_tar, server, small_source, tmp_path):
    make_tar(tmp_path / "www" / "github.tar.gz", everything)
    kept = tmp_path / "cache" / f"source-{source.pin['content_sha256'][:16]}.tar.gz"
    whole = make_tar(kept, everything).read_bytes()
    for damage in (whole[:100], make_tar(tmp_path / "x.tar.gz", {**everything, "LICENSE": b""}).read_bytes()):
        kept.write_bytes(damage)
        assert quiet(cache=kept.parent, github=server.url + "/github.tar.gz") == small_source
        assert source.read(kept) == small_source
    assert len(server.asked) == 2


def test_nothing_found_tells_what_was_tried(quiet, source, server, tmp_path):
    with pytest.raises(SourceError, match="no Caffe source found; set CAFFE_SOURCE to a folder or tarball") as e:
        quiet(cache=tmp_path / "cache", github=server.url + "/none", pool=[NOWHERE])
    assert server.url + "/none" in str(e.value) and NOWHERE in str(e.value)
    assert "\n" not in str(e.value)


def test_pool_urls_come_from_apt(monkeypatch, tmp_path):
    """A stand-in apt-get prints what the real one prints; no archive is named in the repository."""
    import caffe_source

    apt = tmp_path / "apt-get"
    apt.write_text('#!/bin/sh\nprintf "http://a.example/debian/ main\\nhttp://a.example/debian/ main\\n"\n'
                   'printf "http://b.example/ubuntu/ universe\\nflat\\n"\n')  # fmt: skip
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    name = caffe_source.PIN["pool_file"]
    assert caffe_source.CAFFE.pool_urls() == [
        f"http://a.example/debian/pool/main/c/caffe/{name}",
        f"http://b.example/ubuntu/pool/universe/c/caffe/{name}",
    ]
    monkeypatch.setenv("PATH", "/nowhere")
    assert caffe_source.CAFFE.pool_urls() == []


# the cache folder, unpacking, the command -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"IDN_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/idn-caffe"),
        ({}, "~/.cache/idn-caffe"),
    ],
)
def test_cache_folder(environ, folder):

    assert str(pinned_source.cache_folder(environ)) == os.path.expanduser(folder)  # noqa: PTH111


def test_unpack_replaces_what_differs_and_keeps_what_does_not(source, small_source, make_folder, tmp_path):
    target = make_folder(tmp_path / "build" / "upstream", {"src/caffe/old.cpp": b"old"})
    assert source.unpack(small_source, target) == target
    found = {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert found == small_source
    before = (target / "LICENSE").stat().st_mtime_ns
    source.unpack(small_source, target)
    assert (target / "LICENSE").stat().st_mtime_ns == before
    assert [p.name for p in target.parent.iterdir()] == ["upstream"]


def test_command_refuses_in_one_line(root, tmp_path):
    run = [sys.executable, root / "pycaffe" / "caffe_source.py", "--unpack", tmp_path / "out"]
    environment = dict(os.environ, CAFFE_SOURCE=str(tmp_path / "gone"))
    done = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("caffe_source.py: ") and done.stderr.count("\n") == 1
    assert f"{tmp_path / 'gone'}: no such file or folder" in done.stderr
    assert not (tmp_path / "out").exists()
