#!/usr/bin/env python3
"""Write the types of the messages in a descriptor made by protoc, for type checkers and editors.

    protoc --descriptor_set_out=caffe.desc caffe.proto
    ./write_pyi.py caffe.desc caffe_pb2.pyi

protoc's own --pyi_out is there since version 3.20 only. Standard library only, as write_pb2.py.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from write_pb2 import only_file

HEAD = '''"""Caffe's messages and enums; made from caffe.proto by the build, do not edit."""

from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

DESCRIPTOR: FileDescriptor
'''
# FieldDescriptorProto.Type and Label in google/protobuf/descriptor.proto
FLOATS, BOOL, STRING, MESSAGE, BYTES, ENUM = {1, 2}, 8, 9, 11, 12, 14
REPEATED = 3


@dataclass
class Field:
    """A field of a message: its name, its type in Python, whether it is a list, whether it is a message."""

    name: str
    type: str
    repeated: bool
    message: bool

    def line(self):
        """Its annotation."""
        if not self.repeated:
            return f"{self.name}: {self.type}"
        kind = "Composite" if self.message else "Scalar"
        return f"{self.name}: Repeated{kind}FieldContainer[{self.type}]"


@dataclass
class Scope:
    """A message, or the file: what is declared in it."""

    name: str = ""
    fields: list = field(default_factory=list)
    messages: list = field(default_factory=list)
    enums: dict = field(default_factory=dict)  # name to names of its values


def entries(data):
    """Numbers and values of a serialized message's fields: int for a varint, bytes for what has a length."""
    position = 0

    def varint():
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(data):
        number, wire = divmod(varint(), 8)
        if wire == 0:
            yield number, varint()
        elif wire == 2:
            length = varint()
            position += length
            yield number, data[position - length : position]
        else:
            raise ValueError(f"field {number} has wire type {wire}, which no descriptor uses")


def text(data, number):
    """The string in field `number`, empty when it is not there."""
    return next((value.decode() for key, value in entries(data) if key == number), "")


def read_enum(data):
    """An EnumDescriptorProto: its name and those of its values."""
    return text(data, 1), [text(value, 1) for key, value in entries(data) if key == 2]


def read_field(data, package):
    """A FieldDescriptorProto (Field)."""
    of = dict(entries(data))
    kind = of[5]
    if kind == MESSAGE:
        python = of[6].decode()[len(package) + 2 :]  # ".caffe.BlobShape"
    else:
        python = {BOOL: "bool", STRING: "str", BYTES: "bytes"}.get(kind, "float" if kind in FLOATS else "int")
    return Field(of[1].decode(), python, of[4] == REPEATED, kind == MESSAGE)


def read_message(data, package):
    """A DescriptorProto (Scope)."""
    scope = Scope(text(data, 1))
    for key, value in entries(data):
        if key == 2:
            scope.fields.append(read_field(value, package))
        elif key == 3:
            scope.messages.append(read_message(value, package))
        elif key == 4:
            name, values = read_enum(value)
            scope.enums[name] = values
    return scope


def read_file(data):
    """A FileDescriptorProto (Scope without fields)."""
    package, scope = text(data, 2), Scope()
    for key, value in entries(data):
        if key == 4:
            scope.messages.append(read_message(value, package))
        elif key == 5:
            name, values = read_enum(value)
            scope.enums[name] = values
    return scope


def lines_of(scope, indent=""):
    """Lines of the stub for what a scope declares; enums are ints, as in Python."""
    for name, values in scope.enums.items():
        yield f"{indent}{name}: EnumTypeWrapper"
        yield from (f"{indent}{value}: int" for value in values)
    for message in scope.messages:
        yield ""
        yield f"{indent}class {message.name}(Message):"
        inner = indent + "    "
        yield from lines_of(message, inner)
        yield from (f"{inner}{one.line()}" for one in message.fields)
        yield f"{inner}def __init__(self, **fields: Any) -> None: ..."


def stub_text(descriptor_set):
    """The stub's text for one serialized FileDescriptorSet."""
    return HEAD + "\n".join(lines_of(read_file(only_file(descriptor_set)))) + "\n"


def main(argv=None):
    source, target = sys.argv[1:] if argv is None else argv
    Path(target).write_text(stub_text(Path(source).read_bytes()), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
