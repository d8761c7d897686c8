"""The chunks of a WAV that hold its tags: LIST INFO, and those of Broadcast WAVs."""

from __future__ import annotations

import pathlib
import struct
from collections.abc import Iterable, Iterator
from typing import IO

LARGEST_LIST = 1_000_000
MOST_CHUNKS = 10_000
# Sizes beyond 32 bits stand in the chunk ds64.
ELSEWHERE = 0xFFFFFFFF


def info_lists(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield place and data of each LIST INFO chunk of a WAV; the data ends early in a truncated file."""
    for name, at, size in chunks(file):
        if name == b"LIST":
            data = read_chunk(file, at, size)
            if data[:4] == b"INFO":
                yield at, data


def chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, place and size in bytes of each chunk of a WAV or RF64."""
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        return
    at, samples = 12, 0
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        name, size = struct.unpack("<4sI", head)
        if name == b"ds64":
            data = file.read(16)
            samples = struct.unpack_from("<Q", data, 8)[0] if len(data) == 16 else 0
        elif name == b"data" and size == ELSEWHERE:
            size = samples
        yield name, at, size
        at += 8 + size + size % 2


def read_chunk(file: IO[bytes], at: int, size: int) -> bytes:
    """Return the data of a chunk, or its beginning where it is too large for a tag."""
    file.seek(at + 8)
    return file.read(min(size, LARGEST_LIST))


def append_chunks(path: pathlib.Path, added: Iterable[tuple[bytes, bytes]]) -> None:
    """Add chunks to the end of a WAV of less than 4 GiB."""
    with path.open("r+b") as file:
        file.seek(0, 2)
        if file.tell() % 2:
            file.write(b"\0")
        for name, data in added:
            file.write(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2))
        size = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", size))


def is_riff_wave(head: bytes) -> bool:
    """Whether a file's first 12 bytes are a plain WAV's."""
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"
