"""The boxes of which MP4 files consist."""

from __future__ import annotations

from typing import BinaryIO

FILE_TYPE = b"ftyp"
LARGEST_INDEX = 1 << 26


def mp4_index(file: BinaryIO) -> bytes:
    """Return what is in the ``moov`` box of an MP4; nothing where the file has none."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return b""
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:], "big") if size == 1 else size
        if head[4:8] == b"moov":
            file.seek(at + 8)
            return file.read(min(size, LARGEST_INDEX) if size else LARGEST_INDEX)
        if size < 8:
            return b""
        at += size


def is_fragmented(file: BinaryIO) -> bool:
    """Whether an MP4 is written fragment by fragment, each with an index of its own."""
    return b"mvex" in mp4_index(file)
