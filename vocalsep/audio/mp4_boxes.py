"""Read the boxes of MP4 files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

FILE_TYPE = b"ftyp"
LARGEST_INDEX = 1 << 26


def mp4_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset and size of each top-level box of an MP4; size 0 means up to the end of the file."""
    offset = 0
    while True:
        file.seek(offset)
        head = file.read(16)
        if len(head) < 8:
            return
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:], "big") if size == 1 else size
        yield head[4:8], offset, size
        if size < 8:
            return
        offset += size


def mp4_index(file: BinaryIO) -> bytes:
    """Return the content of the ``moov`` box of an MP4; empty without one."""
    for name, offset, size in mp4_boxes(file):
        if name == b"moov":
            file.seek(offset + 8)
            return file.read(min(size, LARGEST_INDEX) if size else LARGEST_INDEX)
    return b""


def is_fragmented(file: BinaryIO) -> bool:
    """Return whether an MP4 is written fragment by fragment, each with an index of its own."""
    return b"mvex" in mp4_index(file)
