"""What measures for minutes says at once that it cannot write."""

from importlib import import_module

import pytest

from tools.common import build
from tools.common.errors import UserError

TOOLS = ["bench_matlab_compat", "bench_ranks", "bench_sharing", "bench_speed", "bench_waiting"]


@pytest.mark.parametrize("name", TOOLS)
def test_a_file_in_the_folder_s_place(name, tmp_path, monkeypatch):
    if name == "bench_sharing" and (not build.deploys() or build.cpu_engine() != "onednn"):
        pytest.skip("measures this project's Caffe with oneDNN alone")
    (tmp_path / "file").touch()
    tool = import_module(f"tools.{name}")
    for work in {"measure", "rows", "meta", "resizing"} & set(vars(tool)):
        monkeypatch.setattr(tool, work, lambda *_: pytest.fail("it works first"))
    with pytest.raises(UserError, match="--out .*file: is a file, expected a folder"):
        tool.main(["--out", str(tmp_path / "file")])
