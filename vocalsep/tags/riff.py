"""The LIST INFO chunks of a WAV, which hold its tags where there is no ID3 chunk."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

LARGEST_LIST = 1_000_000
MOST_CHUNKS = 10_000


def info_lists(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield place and data of each LIST INFO chunk of a WAV; the data ends early in a truncated file."""
    if not is_riff_wave(file.read(12)):
        return
    at = 12
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        name, size = struct.unpack("<4sI", head)
        if name == b"LIST" and file.read(4) == b"INFO":
            yield at, b"INFO" + file.read(max(0, min(size, LARGEST_LIST) - 4))
        at += 8 + size + size % 2


def is_riff_wave(head: bytes) -> bool:
    """Whether a file's first 12 bytes are a plain WAV's."""
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"
