"""The committed files are what the generators emit."""

import pytest
from google.protobuf import text_format

from prototxt import generate
from prototxt.engine import caffe
from prototxt.errors import NetError
from prototxt.registry import NETWORKS


def test_committed_files_are_what_the_generators_emit():
    generate.check()
    compared = sum(len(net.variants) * max(1, len(net.scales)) * 3 for net in NETWORKS.values() if net.recipe)
    assert len(list(generate.FOLDER.glob("*.prototxt"))) == 3 * (3 + 3) + compared


def test_a_changed_or_left_over_file_is_found(tmp_path):
    for name, text in generate.contents().items():
        (tmp_path / name).write_text(text)
    generate.check(tmp_path)
    (tmp_path / "idn_x3_deploy.prototxt").write_text("name: 'edited'\n")
    (tmp_path / "idn_x5_deploy.prototxt").write_text("")
    with pytest.raises(NetError, match=r"idn_x3_deploy.prototxt, idn_x5_deploy.prototxt; run `make prototxt`"):
        generate.check(tmp_path)


def test_committed_files_parse_in_caffe_and_end_with_a_newline():
    paths = sorted(generate.FOLDER.glob("*.prototxt"))
    assert paths
    for path in paths:
        content = path.read_bytes()
        assert content.endswith(b"\n") and b"\r" not in content
        kind = "SolverParameter" if "solver" in path.name else "NetParameter"
        text_format.Parse(content.decode(), getattr(caffe.proto.caffe_pb2, kind)())
