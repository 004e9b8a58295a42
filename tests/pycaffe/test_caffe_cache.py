"""caffe_cache.py: nothing is installed from a cache that others may write to, or that has changed since."""

import os
import pathlib
import stat
import subprocess
import sys
import threading

import caffe_cache
import caffe_wheel
import pinned_source
import pytest

from tools.setup import project, venv, wheelhouse


@pytest.fixture(autouse=True)
def usual_umask():
    """The tests' own folders are made as for most users, whatever whoever runs them has set."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A cache with this Python's wheel and a package, as the set-up leaves them: (cache, wheel, package)."""
    cache = tmp_path / "cache"
    wheel = caffe_cache.make(cache / "wheels" / caffe_wheel.key_of(caffe_wheel.key_parts()), cache) / "caffe-1.whl"
    package = caffe_cache.make(cache / "packages/0123", cache) / "six-1-py3-none-any.whl"
    for path in (wheel, package):
        path.write_bytes(b"wheel")
        caffe_cache.seal(path.parent)
    monkeypatch.setenv("IDN_CACHE", str(cache))
    monkeypatch.delenv("CAFFE_SOURCE", raising=False)
    return cache, wheel, package


def obtain(cache, monkeypatch):
    """The wheel, or the words that it was built."""
    monkeypatch.setattr(caffe_wheel, "check_tools", lambda: None)
    monkeypatch.setattr(pinned_source.PinnedSource, "obtain", lambda *_, **__: {})
    monkeypatch.setattr(caffe_wheel, "build", lambda folder, *_: (folder / "caffe-1.whl").write_bytes(b"built"))
    return caffe_wheel.obtain(cache, say=lambda line: None).read_bytes()


def spoil(path, how):
    """Make something of the cache as others could have made it."""
    if how == "group":
        path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o020)
    elif how == "world":
        path.chmod(0o777)
    elif how == "link":
        path.rename(path.with_name("elsewhere"))
        path.symlink_to(path.with_name("elsewhere"))
    elif os.geteuid() == 0:
        os.chown(path, 4242, -1)
    else:
        pytest.skip("only root can give a file away")


OTHERS = "can be written by others"
REASONS = {"group": OTHERS, "world": OTHERS, "link": "is a link", "owner": "belongs to"}


@pytest.mark.parametrize("how", REASONS)
@pytest.mark.parametrize("what", [".", "wheels", "wheels/KEY", "wheels/KEY/caffe-1.whl", "wheels/KEY/SHA256SUMS"])
def test_a_wheel_that_others_may_have_put_there(kept, root, how, what):
    """By the real command: one line that names the place and says what to do, nothing printed to be installed."""
    cache, wheel, _ = kept
    if (how, what) == ("link", "."):
        pytest.skip("the user's own IDN_CACHE may be a link")
    place = cache / what.replace("KEY", wheel.parent.name)
    spoil(place, how)
    run = [sys.executable, root / "pycaffe/caffe_wheel.py"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"caffe_wheel.py: {place}: {REASONS[how]}")
    assert "set IDN_CACHE to another folder" in done.stderr


@pytest.mark.parametrize("how", REASONS)
@pytest.mark.parametrize("what", ["packages", "packages/0123", "packages/0123/six-1-py3-none-any.whl"])
def test_a_package_that_others_may_have_put_there(kept, how, what, monkeypatch):
    cache, _, package = kept
    spoil(cache / what, how)
    with pytest.raises(caffe_cache.CacheError, match=f"{cache / what}: {REASONS[how]}"):
        wheelhouse.options(package.parent)
    # ... and the set-up ends there, before pip is asked
    monkeypatch.setattr(project, "packages_folder", lambda: package.parent)
    monkeypatch.setattr(venv, "pip_install", lambda *_: pytest.fail("installed"))
    with pytest.raises(OSError, match=REASONS[how]):
        project.install_project({})


def test_packages_are_not_kept_where_others_may_write(kept):
    cache, _, _ = kept
    (cache / "packages").chmod(0o777)
    assert not wheelhouse.fill(cache / "packages/4567", sys.executable, [], set())


def test_what_is_ours_is_taken(kept, monkeypatch):
    cache, _, package = kept
    assert obtain(cache, monkeypatch) == b"wheel"
    assert wheelhouse.options(package.parent) == ["--no-index", "--find-links", str(package.parent)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_checkouts_owner_is_trusted(kept, monkeypatch, tmp_path):
    """A container runs as root in a checkout and with a cache of the user outside: that user's scripts run anyway."""
    cache, wheel, _ = kept
    for path in (cache, wheel.parent.parent, wheel.parent, wheel, wheel.with_name("SHA256SUMS")):
        os.chown(path, 4242, -1)
    with pytest.raises(caffe_cache.CacheError, match=r"belongs to user 4242, not to you \(0\)"):
        obtain(cache, monkeypatch)
    (tmp_path / "checkout").mkdir()
    os.chown(tmp_path / "checkout", 4242, -1)
    monkeypatch.setattr(caffe_cache, "HERE", tmp_path / "checkout")
    assert obtain(cache, monkeypatch) == b"wheel"


@pytest.mark.parametrize("damage", ["changed", "cut", "more", "sdist", "renamed"])
def test_what_has_changed_is_made_anew(kept, monkeypatch, damage):
    cache, wheel, package = kept
    for path in (wheel, package):
        if damage == "more":
            path.with_name("caffe-2.whl").write_bytes(b"other")
        elif damage == "sdist":
            path.with_name("six-99.tar.gz").write_bytes(b"runs its setup.py")
        elif damage == "renamed":
            path.rename(path.with_name("aaa-1.whl"))
        else:
            path.write_bytes({"changed": b"whee!", "cut": b""}[damage])
    assert wheelhouse.options(package.parent) == [] and not package.parent.exists()
    assert obtain(cache, monkeypatch) == b"built"
    assert sorted(path.name for path in wheel.parent.iterdir()) == ["SHA256SUMS", "caffe-1.whl", "key.json"]
    assert obtain(cache, monkeypatch) == b"built"


def test_hashes_are_kept_of_what_an_older_set_up_left(kept, monkeypatch):
    cache, wheel, _ = kept
    before = wheel.with_name("SHA256SUMS").read_text()
    # printf wheel | sha256sum
    assert before == "ba59926159d2aa256eb8739b8da7e2b574b960e1202c6d624cbe981cef996c91  caffe-1.whl\n"
    wheel.with_name("SHA256SUMS").unlink()
    assert obtain(cache, monkeypatch) == b"wheel"
    assert wheel.with_name("SHA256SUMS").read_text() == before


def test_many_at_once_seal_an_older_cache(kept):
    _, wheel, _ = kept
    wheel.with_name("SHA256SUMS").unlink()
    found = []
    threads = [threading.Thread(target=lambda: found.append(caffe_cache.is_whole(wheel.parent))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 8


def test_two_that_seal_at_one_moment_share_no_file(kept, monkeypatch):
    """Threads have one process number, and so have containers: with it as the file's name one cut the other's short."""
    _, wheel, _ = kept
    sums = wheel.with_name("SHA256SUMS")
    expected = sums.read_text()
    sums.unlink()
    both_wrote = threading.Barrier(2)
    replace, done = pathlib.Path.replace, []

    def held(path, target):
        both_wrote.wait(timeout=60)
        return replace(path, target)

    def seal():
        caffe_cache.seal(wheel.parent)
        done.append(sums.read_text())

    monkeypatch.setattr(pathlib.Path, "replace", held)
    threads = [threading.Thread(target=seal) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [expected] * 2
    assert sorted(path.name for path in wheel.parent.iterdir()) == ["SHA256SUMS", wheel.name]


def test_the_cache_is_made_for_nobody_else(tmp_path, monkeypatch):
    os.umask(0)
    cache = tmp_path / "above" / "idn-caffe"
    assert obtain(cache, monkeypatch) == b"built"
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    writable = [p.name for p in cache.rglob("*") if p.stat().st_mode & 0o022 and p.suffix not in (".lock", ".log")]
    assert writable == []
    assert obtain(cache, monkeypatch) == b"built"


def test_a_link_is_not_locked_or_logged_through(kept, monkeypatch, tmp_path):
    """A cache that others may write to is refused before its lock and log are opened."""
    cache, wheel, _ = kept
    (tmp_path / "victim").write_bytes(b"precious")
    (cache / f"wheel-{wheel.parent.name}.lock").symlink_to(tmp_path / "victim")
    wheel.unlink()
    wheel.with_name("SHA256SUMS").unlink()
    wheel.parent.rmdir()
    cache.chmod(0o777)
    with pytest.raises(caffe_cache.CacheError, match="can be written by others"):
        obtain(cache, monkeypatch)
    assert (tmp_path / "victim").read_bytes() == b"precious"
