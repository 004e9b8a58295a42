#!/usr/bin/env python3
"""Wrap a descriptor made by protoc in a Python module, as protoc's own output does since version 3.20.

    protoc --descriptor_set_out=caffe.desc caffe.proto
    ./write_pb2.py caffe.desc caffe_pb2.py

Standard library only: it runs inside the build, before any package is installed.
"""

import sys
from pathlib import Path

MODULE = '''"""Caffe's messages and enums; made from caffe.proto by the build, do not edit."""

from google.protobuf import descriptor_pool
from google.protobuf.internal import builder

DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(
{lines}
)
builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, "caffe.proto.caffe_pb2", globals())
'''


def only_file(descriptor_set):
    """Return the one serialized FileDescriptorProto of a serialized FileDescriptorSet.

    Raises
    ------
    ValueError
        When the set does not hold exactly one file: field 1, length-delimited, up to the end.
    """
    if descriptor_set[:1] != b"\x0a":
        raise ValueError("no FileDescriptorSet: it must begin with field 1")
    length, position = 0, 1
    for shift in range(0, 64, 7):  # base-128 varint, least significant group first
        byte = descriptor_set[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    if position + length != len(descriptor_set):
        raise ValueError(f"expected one file of {length} bytes, got {len(descriptor_set) - position} bytes")
    return descriptor_set[position:]


def module_text(descriptor_set, width=80):
    """Return the module's source for one serialized FileDescriptorSet."""
    data = only_file(descriptor_set)
    lines = [f"    {data[i : i + width]!r}" for i in range(0, len(data), width)]
    return MODULE.format(lines="\n".join(lines))


def main(argv=None):
    source, target = (sys.argv[1:] if argv is None else argv)
    Path(target).write_text(module_text(Path(source).read_bytes()), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
