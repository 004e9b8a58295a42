"""boost_source.py: the parts of Boost, from any layout of its archives, and nothing else."""

import boost_source
import pinned_source
import pytest

PYTHON = "libs/python/src/module.cpp"
# as in Boost's repositories, where each library keeps its headers, and as in a release, where all are in boost/
APART = {
    "libs/config/include/boost/version.hpp": b"version",
    "libs/numeric/conversion/include/boost/numeric/conversion/cast.hpp": b"cast",
    "libs/python/include/boost/python/list.hpp": b"list",
    PYTHON: b"module",
    "LICENSE_1_0.txt": b"licence",
}
TOGETHER = {
    "boost/version.hpp": b"version",
    "boost/numeric/conversion/cast.hpp": b"cast",
    "boost/python/list.hpp": b"list",
    PYTHON: b"module",
    "LICENSE_1_0.txt": b"licence",
}
NOT_USED = {
    "boost/asio/io_context.hpp": b"",
    "libs/asio/include/boost/asio.hpp.in": b"",
    "libs/python/test/list.cpp": b"",
    "libs/wave/src/wave.cpp": b"",
}


@pytest.mark.parametrize("files", [APART, TOGETHER])
@pytest.mark.parametrize("top", ["", "boost-1.88.0/"])
def test_every_layout_is_one_source(files, top, make_tar, make_folder, tmp_path):
    tarball = make_tar(tmp_path / "boost.tar.gz", {**files, **NOT_USED}, top)
    assert boost_source.BOOST.read(tarball) == TOGETHER
    if not top:
        assert boost_source.BOOST.read(make_folder(tmp_path / "boost", {**files, **NOT_USED})) == TOGETHER


def test_another_release_is_refused(make_tar, tmp_path):
    tarball = make_tar(tmp_path / "boost.tar.gz", TOGETHER)
    with pytest.raises(pinned_source.SourceError, match=r"not the pinned Boost source.*set BOOST_SOURCE to .*1\.88\.0"):
        boost_source.BOOST.obtain(tarball, cache=tmp_path / "cache")


def test_what_is_no_boost(make_tar, tmp_path):
    with pytest.raises(pinned_source.SourceError, match="no Boost source, libs/python/src/module.cpp is not in it"):
        boost_source.BOOST.read(make_tar(tmp_path / "x.tar.gz", {"setup.py": b""}))


def test_the_two_sources_lie_apart_in_the_cache():
    import caffe_source

    assert boost_source.PIN["stem"] != caffe_source.PIN["stem"]
