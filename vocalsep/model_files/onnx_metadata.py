"""Metadata and operators of ONNX files, without the packages that compute or edit graphs.

An ONNX file is one message of Protocol Buffers: fields one after another, each with its number, a type and a length.
Readers join repeated fields wherever they stand, so metadata can be appended to a file.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import ModelError

# Field of `ModelProto`, and fields of its `StringStringEntryProto`.
METADATA_FIELD, KEY_FIELD, VALUE_FIELD = 14, 1, 2
# Fields that lead to the operators of a file, by the message that has them, and the messages in these fields.
NESTED = {
    "ModelProto": {7: "GraphProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto"},
    "FunctionProto": {7: "NodeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {6: "GraphProto", 11: "GraphProto"},
}
OPERATOR_FIELD = 4
# Types of fields: a number in a variable number of bytes, 8 bytes, bytes with their length before them, 4 bytes.
VARINT, LONG, BYTES, SHORT = 0, 1, 2, 5
# Ten bytes hold 64 bits.
LONGEST_VARINT = 10
LARGEST_METADATA = 1 << 24
NO_GRAPH = "damaged, or not an ONNX file"


def read_metadata(path: pathlib.Path) -> dict[str, str]:
    """Return the metadata of an ONNX file; its graph is passed over.

    Raises
    ------
    ModelError
        The file cannot be read, or is no ONNX file.
    """
    try:
        with path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            entries = [_entry(file, length) for number, length in _fields(file, end) if number == METADATA_FIELD]
            if end == 0:
                raise ValueError
    except FileNotFoundError:
        raise ModelError("no such model file", path=path) from None
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", path=path) from None
    except ValueError:
        raise ModelError(NO_GRAPH, path=path) from None
    return dict(entries)


def metadata_bytes(key: str, value: str) -> bytes:
    """Return what has to be appended to an ONNX file to add an entry to its metadata."""
    entry = b"".join(
        _varint(number << 3 | BYTES) + _varint(len(text)) + text
        for number, text in ((KEY_FIELD, key.encode()), (VALUE_FIELD, value.encode()))
    )
    return _varint(METADATA_FIELD << 3 | BYTES) + _varint(len(entry)) + entry


def read_operators(file: BinaryIO) -> set[str]:
    """Return the names of all operators in an ONNX file, also those inside of others and in local functions.

    Raises
    ------
    ValueError
        It is no ONNX file.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    return set(_operators(file, length, "ModelProto"))


def _operators(file: BinaryIO, length: int, message: str) -> Iterator[str]:
    """Yield the operators in a message that begins here."""
    for number, size in _fields(file, file.tell() + length):
        if message == "NodeProto" and number == OPERATOR_FIELD:
            yield file.read(size).decode(errors="replace")
        elif number in NESTED[message]:
            yield from _operators(file, size, NESTED[message][number])


def _entry(file: BinaryIO, length: int) -> tuple[str, str]:
    if length > LARGEST_METADATA:
        raise ValueError
    end = file.tell() + length
    texts = {number: file.read(size).decode() for number, size in _fields(file, end)}
    return texts.get(KEY_FIELD, ""), texts.get(VALUE_FIELD, "")


def _fields(file: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """Yield number and length of each field with a length; the caller may read it or not."""
    while (at := file.tell()) < end:
        tag = _read_varint(file)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            _read_varint(file)
            continue
        length = {LONG: 8, SHORT: 4}.get(kind) if kind != BYTES else _read_varint(file)
        start = file.tell()
        if length is None or number == 0 or start + length > end or start <= at:
            raise ValueError
        if kind == BYTES:
            yield number, length
        file.seek(start + length)


def _read_varint(file: BinaryIO) -> int:
    value = 0
    for place in range(LONGEST_VARINT):
        byte = file.read(1)
        if not byte:
            raise ValueError
        value |= (byte[0] & 0x7F) << 7 * place
        if not byte[0] & 0x80:
            return value
    raise ValueError


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
