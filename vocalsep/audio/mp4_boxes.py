"""The boxes of which MP4 files consist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

FILE_TYPE = b"ftyp"
LARGEST_INDEX = 1 << 26


def mp4_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset and size of each box of an MP4; the size of one that goes on to the end is 0."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:], "big") if size == 1 else size
        yield head[4:8], at, size
        if size < 8:
            return
        at += size


def mp4_index(file: BinaryIO) -> bytes:
    """Return what is in the ``moov`` box of an MP4; nothing where the file has none."""
    for name, at, size in mp4_boxes(file):
        if name == b"moov":
            file.seek(at + 8)
            return file.read(min(size, LARGEST_INDEX) if size else LARGEST_INDEX)
    return b""


def is_fragmented(file: BinaryIO) -> bool:
    """Whether an MP4 is written fragment by fragment, each with an index of its own."""
    return b"mvex" in mp4_index(file)
