"""The chunks of a WAV that hold its tags: LIST INFO, and those of Broadcast WAVs."""

from __future__ import annotations

import pathlib
import struct
from collections.abc import Iterable, Iterator
from typing import IO

LARGEST_LIST = 1_000_000
MOST_CHUNKS = 10_000
# A larger size is in the chunk ds64.
SIZE_IN_DS64 = 0xFFFFFFFF


def info_lists(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield offset and data of each LIST INFO chunk of a WAV; the data of a truncated file is shorter."""
    for name, offset, size in chunks(file):
        if name == b"LIST":
            data = read_chunk(file, offset, size)
            if data[:4] == b"INFO":
                yield offset, data


def chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset and size in bytes of each chunk of a WAV or RF64."""
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        return
    offset, samples = 12, 0
    for _ in range(MOST_CHUNKS):
        file.seek(offset)
        head = file.read(8)
        if len(head) < 8:
            return
        name, size = struct.unpack("<4sI", head)
        if name == b"ds64":
            data = file.read(16)
            samples = struct.unpack_from("<Q", data, 8)[0] if len(data) == 16 else 0
        elif name == b"data" and size == SIZE_IN_DS64:
            size = samples
        yield name, offset, size
        offset += 8 + size + size % 2


def read_chunk(file: IO[bytes], offset: int, size: int) -> bytes:
    """Return the data of a chunk, cut to the largest size of a tag."""
    file.seek(offset + 8)
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
    """Return whether the first 12 bytes of a file are those of a plain WAV."""
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"
