"""The stubs beside pycaffe: what users write passes mypy, what is wrong does not, and they name what is there."""

import re
import subprocess
import sys
from pathlib import Path

import caffe_build
import pytest
import write_pyi
from google.protobuf import descriptor_pb2

from prototxt.engine import caffe

HERE = Path(__file__).parent
# how Boost.Python's and protobuf's classes are made, which no stub says; and what only some builds or users have
EXPECTED = re.compile(
    r"metaclass differs|\.__instance_size__ |^caffe\.\w+ failed to find stubs|^caffe\.draw failed to import.*pydot"
    r"|^caffe\.proto\.caffe_pb2\.\w+(\.__init__ is inconsistent| cannot be subclassed| variable differs)"
    r"|^caffe\._caffe\.(Layer\.(for|back)ward|NCCL\.(bcast|new_uid)) is not present at runtime"
    r"|^caffe\.coord_map\.PASS_THROUGH_LAYERS"
)


def mypy(*arguments, cwd=None):
    return subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300)


def test_the_package_says_that_it_is_typed():
    package = Path(caffe_build.__file__).parent.parent / "caffe"
    assert (package / "py.typed").is_file() and (package / "proto" / "caffe_pb2.pyi").is_file()


def test_what_users_write_passes(tmp_path):
    done = mypy("mypy", "--strict", "--config-file=", str(HERE / "typed_use.py"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout


WRONG = {
    'caffe.Net("net.prototxt")': "call-overload",
    'caffe.Net("net.prototxt", caffe.TEST, wieghts="w")': "call-overload",
    'caffe.Net("net.prototxt", caffe.TEST).forwards()': "attr-defined",
    'caffe.get_solver("s").step("ten")': "arg-type",
    'caffe.io.load_image("a.png", colour=True)': "call-arg",
    "caffe.proto.caffe_pb2.NetParameter().layers_": "attr-defined",
}


def test_what_is_wrong_does_not(tmp_path):
    (tmp_path / "wrong.py").write_text("import caffe\n" + "\n".join(WRONG) + "\n")
    done = mypy("mypy", "--strict", "--config-file=", "wrong.py", cwd=tmp_path)
    found = dict(re.findall(r"^wrong\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.M))
    assert found == {str(line): kind for line, kind in enumerate(WRONG.values(), 2)}


def test_the_stubs_name_what_is_there():
    """mypy's stubtest imports the package and compares."""
    done = mypy("mypy.stubtest", "caffe", "--concise", "--ignore-disjoint-bases")
    if "unrecognized arguments" in done.stderr:  # older than 1.18
        done = mypy("mypy.stubtest", "caffe", "--concise")
    lines = [line for line in done.stdout.splitlines() if line.startswith("caffe")]
    assert [line for line in lines if not EXPECTED.search(line)] == []
    assert any("metaclass differs" in line for line in lines)  # it did look


def test_messages_have_their_fields(tmp_path):
    file = descriptor_pb2.FileDescriptorProto(name="idn_types.proto", package="idn.types", syntax="proto2")
    kind = file.enum_type.add(name="Kind")
    kind.value.add(name="SMALL", number=0)
    outer = file.message_type.add(name="Outer")
    outer.nested_type.add(name="Inner").field.add(name="x", number=1, type=2, label=1)
    outer.enum_type.add(name="Mode").value.add(name="FAST", number=1)
    outer.field.add(name="one", number=1, type=11, label=1, type_name=".idn.types.Outer.Inner")
    outer.field.add(name="many", number=2, type=11, label=3, type_name=".idn.types.Outer.Inner")
    outer.field.add(name="names", number=300, type=9, label=3)
    outer.field.add(name="mode", number=4, type=14, label=1, type_name=".idn.types.Outer.Mode")
    (tmp_path / "in.desc").write_bytes(descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString())
    assert write_pyi.main([tmp_path / "in.desc", tmp_path / "out.pyi"]) == 0
    assert (tmp_path / "out.pyi").read_text().split("DESCRIPTOR: FileDescriptor\n")[1] == (
        "Kind: EnumTypeWrapper\nSMALL: int\n\n"
        "class Outer(Message):\n"
        "    Mode: EnumTypeWrapper\n    FAST: int\n\n"
        "    class Inner(Message):\n        x: float\n        def __init__(self, **fields: Any) -> None: ...\n"
        "    one: Outer.Inner\n    many: RepeatedCompositeFieldContainer[Outer.Inner]\n"
        "    names: RepeatedScalarFieldContainer[str]\n    mode: int\n"
        "    def __init__(self, **fields: Any) -> None: ...\n"
    )


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (lambda: caffe.Net, "caffe.TEST, weights="),
        (lambda: caffe.Net.forward, "start : optional name of layer"),
        (lambda: caffe.Net.copy_from, "matched by name"),
        (lambda: caffe.Net.after_forward, "after each layer's forward pass"),
        (lambda: caffe._caffe.Blob, "blob.data[...] = x"),
        (lambda: caffe.Layer, "setup(bottom, top)"),
        (lambda: caffe.AdamSolver, "used as SGDSolver is"),
        (lambda: caffe.SGDSolver.step, "iterations : int"),
        (lambda: caffe.get_solver, "names in `type`"),
        (lambda: caffe.set_random_seed, "Seed Caffe's random numbers"),
    ],
)
def test_help_says_something(what, words):
    assert words in what().__doc__
