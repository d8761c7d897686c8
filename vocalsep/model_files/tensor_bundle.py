"""Read TensorFlow's checkpoint format (version 2, "tensor bundle") without TensorFlow.

A checkpoint is an index (a sorted table, as LevelDB writes it, of protocol buffers) beside one file of raw values. Both
are parsed without running any code. The layout is documented in TensorFlow's tensor_bundle.h and tensor_bundle.proto,
and in LevelDB's table_format.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from ..errors import ModelError

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
TRAILER_BYTES = 5
FLOAT32 = 1
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10


@dataclasses.dataclass(frozen=True)
class Entry:
    """Type number, shape, and location of a tensor's values; offset and size are in bytes."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


def read_index(index: bytes) -> dict[str, Entry]:
    """Return the tensors that a checkpoint's index names.

    Raises
    ------
    ModelError
        The data is not such an index, or compressed.
    """
    try:
        if len(index) < FOOTER_BYTES or int.from_bytes(index[-8:], "little") != MAGIC:
            raise ModelError("not the index of a TensorFlow checkpoint")
        footer = _Reader(index[-FOOTER_BYTES:])
        for _ in range(2):
            footer.varint()  # the index of metadata blocks, which is empty
        top = _block(index, footer.varint(), footer.varint())
        entries = {}
        for _, handle in top:
            location = _Reader(handle)
            for key, value in _block(index, location.varint(), location.varint()):
                if key:  # the empty key describes the whole bundle
                    entries[key.decode()] = _entry(value)
        return entries
    except (IndexError, ValueError) as error:
        raise ModelError(f"the index of the TensorFlow checkpoint is damaged ({error})") from None


def read_tensor(entry: Entry, data: bytes) -> np.ndarray:
    """Return one tensor, float32, from the contents of a checkpoint's only data file.

    Raises
    ------
    ModelError
        The tensor has another type, is in another file, or ends beyond the data.
    """
    if entry.dtype != FLOAT32 or entry.shard != 0:
        raise ModelError("the TensorFlow checkpoint is not one file of 32-bit values")
    count = 1
    for side in entry.shape:
        count *= side
    if entry.size != 4 * count or not 0 <= entry.offset <= len(data) - entry.size:
        raise ModelError("the TensorFlow checkpoint is cut short or damaged")
    return np.frombuffer(data, "<f4", count, entry.offset).reshape(entry.shape).astype(np.float32)


def _block(index: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block; keys are stored without the prefix they share with the previous one."""
    if offset + size + TRAILER_BYTES > len(index):
        raise ValueError("a block lies beyond its end")
    if index[offset + size] != 0:
        raise ModelError("the index of the TensorFlow checkpoint is compressed, which TensorFlow never writes")
    block = index[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    reader = _Reader(block[: max(0, len(block) - 4 - 4 * restarts)])
    key = b""
    while reader.left:
        shared, own, length = reader.varint(), reader.varint(), reader.varint()
        key = key[:shared] + reader.take(own)
        yield key, reader.take(length)


def _entry(message: bytes) -> Entry:
    numbers: dict[int, int] = {}
    shape: tuple[int, ...] = ()
    for number, value in _Reader(message).fields():
        if isinstance(value, int):
            numbers[number] = value
        elif number == 2:
            shape = tuple(
                next((size for field, size in _Reader(side).fields() if field == 1 and isinstance(size, int)), 0)
                for field, side in _Reader(value).fields()
                if field == 2 and isinstance(side, bytes)
            )
    return Entry(numbers.get(1, 0), shape, numbers.get(3, 0), numbers.get(4, 0), numbers.get(5, 0))


class _Reader:
    """Reads numbers and fields of protocol buffers in sequence."""

    def __init__(self, data: bytes):
        self.data = data
        self.offset = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.offset

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError("a value is longer than the data")
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def varint(self) -> int:
        value = 0
        for index in range(LONGEST_VARINT):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value
        raise ValueError("a number has no end")

    def fields(self) -> Iterator[tuple[int, int | bytes]]:
        while self.left:
            tag = self.varint()
            kind = tag & 7
            if kind == VARINT:
                yield tag >> 3, self.varint()
            elif kind == BYTES:
                yield tag >> 3, self.take(self.varint())
            elif kind in (FIXED32, FIXED64):
                self.take(4 if kind == FIXED32 else 8)
            else:
                raise ValueError(f"field of unknown kind {kind}")
