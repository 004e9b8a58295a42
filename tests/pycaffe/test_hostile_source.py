"""Sources that lie: tarballs and folders with links, bombs and odd names, servers that send without end."""

import bz2
import gzip
import io
import lzma
import os
import random
import subprocess
import sys
import tarfile

import pytest
import source_download
import source_tar
from pinned_source import SourceError, digest, manifest


def tarball(path, *members, files=None, compress=gzip.compress, top=""):
    """A tarball of the files (dict) and after them TarInfo members, each with its content (bytes or None)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (files or {}).items():
            member = tarfile.TarInfo(top + name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member, data in members:
            if data is not None:
                member.size = len(data)
            tar.addfile(member, io.BytesIO(data or b""))
    path.write_bytes(compress(stream.getvalue()))
    return path


def member(name, kind=tarfile.REGTYPE, target="", **more):
    one = tarfile.TarInfo(name)
    one.type, one.linkname = kind, target
    for key, value in more.items():
        setattr(one, key, value)
    return one


def without(files, name):
    return {path: data for path, data in files.items() if path != name}


# tarballs ---------------------------------------------------------------------------------------------------

HARMLESS = {
    "absolute": (member("/etc/cron.d/evil"), b"evil"),
    "up": (member("../../evil"), b"evil"),
    "link out": (member("docs/evil", tarfile.SYMTYPE, "/etc/passwd"), None),
    "through a link": (member("docs/evil/x"), b"evil"),
    "hard link out": (member("docs/hard", tarfile.LNKTYPE, "../../etc/passwd"), None),
    "device": (member("dev/sda", tarfile.BLKTYPE, devmajor=8), None),
    "pipe": (member("pipe", tarfile.FIFOTYPE), None),
    "setuid": (member("bin/evil", mode=0o4755), b"evil"),
}


@pytest.mark.parametrize("kind", HARMLESS)
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, bytes])
def test_what_is_not_asked_for_is_never_unpacked(source, small_source, tmp_path, kind, compress):
    """The right source with something hostile beside: only the files on the list are written."""
    source.verify(source.read(tarball(tmp_path / "x.tar", HARMLESS[kind], files=small_source, compress=compress)), "x")
    target = source.unpack(source.read(tmp_path / "x.tar"), tmp_path / "build/upstream")
    assert sorted(p.relative_to(tmp_path / "build").as_posix() for p in target.rglob("*") if not p.is_dir()) == sorted(
        f"upstream/{name}" for name in small_source
    )
    assert {p.stat().st_mode & 0o7111 for p in target.rglob("*") if p.is_file()} == {0}


@pytest.mark.parametrize("top", ["/usr/src/caffe/", "../../caffe/"])
def test_all_names_below_an_odd_top(source, small_source, tmp_path, top):
    assert source.read(tarball(tmp_path / "x.tar", files=small_source, top=top)) == small_source


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "../LICENSE"),
        (tarfile.LNKTYPE, "LICENSE"),
        (tarfile.CHRTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_a_link_in_place_of_a_source_file(source, small_source, tmp_path, kind, target):
    files = without(small_source, "src/caffe/blob.cpp")
    path = tarball(tmp_path / "x.tar", (member("src/caffe/blob.cpp", kind, target), None), files=files)
    with pytest.raises(SourceError, match=r"x\.tar: src/caffe/blob\.cpp is a link, a device or a sparse file"):
        source.read(path)


@pytest.mark.parametrize(
    "name",
    [f"src/caffe/{name}" for name in ("../../../evil.cpp", "/evil.cpp", "./evil.h", "a\\evil.h", "\udcff.h", "a\nb.h")],
)
def test_a_name_that_means_another_place(source, small_source, tmp_path, name):
    with pytest.raises(SourceError, match="is no name of a source file"):
        source.read(tarball(tmp_path / "x.tar", (member(name), b"evil"), files=small_source))


def test_a_name_that_forges_the_manifest(source, small_source, tmp_path):
    """Two lines of the manifest in one name: the digest was right and a file was missing."""
    text = manifest(small_source).splitlines()
    (first, second) = [line for line in text if line.endswith(("blob.hpp", "blob.cpp"))]
    files = without(without(small_source, "src/caffe/blob.cpp"), "include/caffe/blob.hpp")
    forged = {f"include/caffe/blob.hpp\n{second}": small_source["include/caffe/blob.hpp"], **files}
    assert digest(forged) == source.pin["content_sha256"]
    with pytest.raises(SourceError, match="is no name of a source file"):
        source.read(tarball(tmp_path / "x.tar", files=forged))


def test_the_same_name_twice(source, small_source, tmp_path):
    """The last one counts, as when tar unpacks, and it is the one that is verified."""
    path = tarball(tmp_path / "x.tar", (member("LICENSE"), b"evil"), files=small_source)
    with pytest.raises(SourceError, match="changed: LICENSE"):
        source.verify(source.read(path), "x")


# bombs: a few KB that claim, or are, gigabytes --------------------------------------------------------------

LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20)); "
READ = "import sys, runpy; sys.argv = ['caffe_source.py', '--check', {!r}]; runpy.run_path({!r}, run_name='__main__')"


def check(root, path):
    """caffe_source.py --check with 700 MB of memory: status and the error's lines."""
    code = LIMIT + f"sys_path = __import__('sys').path; sys_path.insert(0, {str(root / 'pycaffe')!r}); "
    code += READ.format(str(path), str(root / "pycaffe/caffe_source.py"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr.splitlines()


def zeros(count):
    """gzip of `count` MB of zeros."""
    packer = io.BytesIO()
    with gzip.GzipFile(fileobj=packer, mode="wb", compresslevel=1) as file:
        for _ in range(count):
            file.write(bytes(1 << 20))
    return packer.getvalue()


def claims(name, size, kind=tarfile.REGTYPE):
    """The header of a member that claims `size` bytes."""
    return member(name, kind, size=size).tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_header_that_claims_gigabytes(root, tmp_path, kind):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(claims("x", 8 << 30, kind)) + zeros(900))
    status, lines = check(root, path)
    assert (status, len(lines)) == (2, 1) and "a member or header of more than 16 MB" in lines[0]


def test_covered_file_that_claims_gigabytes(root, tmp_path):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(claims("src/caffe/proto/caffe.proto", 900 << 20)) + zeros(900))
    status, lines = check(root, path)
    assert (status, len(lines)) == (2, 1) and "src/caffe/proto/caffe.proto has more than 16 MB" in lines[0]


@pytest.mark.parametrize("size", [10 << 40, 1 << 62])
def test_tarball_that_claims_terabytes(root, tmp_path, size):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(claims("docs/big", size) + bytes(1024)))
    status, lines = check(root, path)
    assert (status, len(lines)) == (2, 1) and "more than 1 GB when it is unpacked" in lines[0]


def test_a_million_members(source, monkeypatch, small_source, tmp_path):
    monkeypatch.setattr(source_tar, "MOST_MEMBERS", 1000)
    many = gzip.compress(b"".join(claims(f"{number}", 0) for number in range(1001)))
    (tmp_path / "x.tar.gz").write_bytes(many)
    with pytest.raises(SourceError, match="more than 1,000 members"):
        source.read(tmp_path / "x.tar.gz")


def test_negative_sizes_end(source, tmp_path):
    """A size that leads back to the member itself: tarfile of some Pythons goes round for ever."""
    header = bytearray(claims("docs/x", 0))
    header[124:136] = b"\xff" * 11 + b"\x00"  # base 256, -256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "x.tar").write_bytes(bytes(512) * 2 + bytes(header) * 4)
    (tmp_path / "y.tar").write_bytes(bytes(header) * 4)
    for name in ("x.tar", "y.tar"):
        with pytest.raises(SourceError):
            source.read(tmp_path / name)


def test_damage_anywhere_is_one_error(source, small_source, tmp_path):
    """300 tarballs with random damage, plain and compressed: the source itself, or a SourceError."""
    chance = random.Random(7)
    beside = (member("docs/" + "n" * 300), b"x")  # a long name takes a header of its own
    whole = {
        kind: tarball(tmp_path / "whole", beside, files=small_source, compress=kind).read_bytes()
        for kind in (bytes, gzip.compress, lzma.compress)
    }
    refused = 0
    for _ in range(300):
        data = bytearray(whole[chance.choice(list(whole))])
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "damaged").write_bytes(bytes(data[: chance.randint(len(data) // 2, 2 * len(data))]))
        try:
            source.read(tmp_path / "damaged")
        except SourceError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 100


@pytest.mark.parametrize("path", ["/dev/zero", "pipe"])
def test_what_is_no_file(source, tmp_path, path):
    if path == "pipe":
        path = tmp_path / path
        os.mkfifo(path)
    with pytest.raises(SourceError, match="neither a folder nor a file"):
        source.read(path)


# folders ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["file", "folder", "device", "nothing"])
def test_a_link_out_of_a_folder(source, small_source, make_folder, tmp_path, target):
    folder = make_folder(tmp_path / "caffe", without(small_source, "src/caffe/blob.cpp"))
    outside = make_folder(tmp_path / "outside", small_source)
    inside = outside / "src/caffe/blob.cpp"
    to = {"file": inside, "folder": outside, "device": "/dev/zero", "nothing": tmp_path / "absent"}
    (folder / "src/caffe/blob.cpp").symlink_to(to[target])
    if target == "folder":  # is passed over: rglob enters no link, and a folder is no file
        assert "src/caffe/blob.cpp" not in source.read(folder)
        return
    with pytest.raises(SourceError, match=r"src/caffe/blob\.cpp is a link out of the folder"):
        source.read(folder)


def test_links_that_stay_inside_and_a_linked_folder(source, small_source, make_folder, tmp_path):
    folder = make_folder(tmp_path / "caffe", without(small_source, "LICENSE"))
    (folder / "COPYING").write_bytes(small_source["LICENSE"])
    (folder / "LICENSE").symlink_to("COPYING")
    (folder / "loop").symlink_to(".")
    (tmp_path / "mine").symlink_to(folder)
    assert source.read(tmp_path / "mine") == small_source


def test_odd_names_in_a_folder(source, small_source, make_folder, tmp_path):
    folder = make_folder(tmp_path / "caffe", small_source)
    (folder / os.fsdecode(b"docs\xff.md")).write_bytes(b"")  # covered by nothing
    assert source.read(folder) == small_source
    (folder / os.fsdecode(b"src/caffe/\xff.cpp")).write_bytes(b"")
    with pytest.raises(SourceError, match="is no name of a source file"):
        source.read(folder)


def test_a_large_file_in_a_folder(source, small_source, make_folder, tmp_path):
    folder = make_folder(tmp_path / "caffe", small_source)
    os.truncate(folder / "LICENSE", 1 << 40)
    with pytest.raises(SourceError, match="LICENSE is not a file of at most 16 MB"):
        source.read(folder)


# downloads --------------------------------------------------------------------------------------------------


@pytest.fixture
def lying(server, monkeypatch):
    """The server of the tests, answering each GET by a function (request): give it to `answer`."""
    handler = server.RequestHandlerClass.func

    def set_answer(answer):
        def do_get(request):
            server.asked.append(request.path)
            try:
                answer(request)
            except OSError:
                request.close_connection = True

        monkeypatch.setattr(handler, "do_GET", do_get)

    return set_answer


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_redirect_elsewhere(source, server, lying, target):
    def answer(request):
        request.send_response(302)
        request.send_header("Location", target)
        request.send_header("Content-Length", "0")
        request.end_headers()

    lying(answer)
    with pytest.raises(OSError, match="redirect|Redirect"):
        source_download.download(server.url)


def test_endless_download(source, server, lying, monkeypatch):
    monkeypatch.setattr(source_download, "MOST_DOWNLOADED", 1 << 20)

    def answer(request):
        request.send_response(200)
        request.end_headers()
        for _ in range(3000):
            request.wfile.write(bytes(1 << 16))

    lying(answer)
    with pytest.raises(OSError, match="more than 1 MB"):
        source_download.download(server.url)


def test_slow_download(source, server, lying, monkeypatch):
    monkeypatch.setattr(source_download, "PATIENCE", 0.2)

    def answer(request):
        import time

        request.send_response(200)
        request.end_headers()
        for _ in range(100):
            request.wfile.write(b"x")
            time.sleep(0.02)

    lying(answer)
    with pytest.raises(OSError, match=r"not complete after 0\.2 seconds"):
        source_download.download(server.url)
