"""write_pb2.py: the module it writes gives the messages of the descriptor it was given."""

import importlib.util

import pytest
import write_pb2
from google.protobuf import descriptor_pb2


@pytest.fixture
def descriptor_set():
    """What protoc --descriptor_set_out writes for a file of one message and one enum."""
    file = descriptor_pb2.FileDescriptorProto(name="idn_test_write_pb2.proto", package="idn_test", syntax="proto2")
    message = file.message_type.add(name="Layer")
    message.field.add(name="name", number=1, type=9, label=1)
    message.field.add(name="bottom" * 40, number=2, type=9, label=3)  # long: the length takes two bytes
    enum = file.enum_type.add(name="Phase")
    enum.value.add(name="TRAIN", number=0)
    return descriptor_pb2.FileDescriptorSet(file=[file])


def test_the_module_works(descriptor_set, tmp_path):
    (tmp_path / "in.desc").write_bytes(descriptor_set.SerializeToString())
    assert write_pb2.main([tmp_path / "in.desc", tmp_path / "made_pb2.py"]) == 0
    spec = importlib.util.spec_from_file_location("made_pb2", tmp_path / "made_pb2.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    layer = module.Layer(name="conv1")
    assert module.Layer.FromString(layer.SerializeToString()).name == "conv1"
    assert module.TRAIN == 0 and module.DESCRIPTOR.package == "idn_test"
    assert max(map(len, (tmp_path / "made_pb2.py").read_text().splitlines())) < 400


def test_one_file_is_required(descriptor_set):
    data = descriptor_set.SerializeToString()
    assert write_pb2.only_file(data) == descriptor_set.file[0].SerializeToString()
    with pytest.raises(ValueError, match="no FileDescriptorSet"):
        write_pb2.only_file(b"")
    with pytest.raises(ValueError, match="expected one file of"):
        write_pb2.only_file(data * 2)
    with pytest.raises(ValueError, match="expected one file of"):
        write_pb2.only_file(data[:-1])
