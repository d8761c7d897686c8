"""The WAVs in a file, with the sizes that no recorder has filled in."""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

import numpy as np

from .byte_range import ByteRange

UNKNOWN_32 = 0xFFFFFFFF
# Programs that write a WAV to a pipe put a size about this large in its header.
STREAMED = 0x7FFF0000
SEARCHED_BYTES = 1 << 16
# Chunks behind the samples of a WAV of more than 4 GiB, whose size wraps round.
TRAILING_BYTES = 1 << 20
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
COMPARED_FRAMES, LEAST_FRAMES = 4096, 256
LARGEST_SAMPLE = 1 << 32
LAST_CHUNKS = re.compile(rb"LIST|id3 |ID3 |bext|cue |iXML|axml|_PMX|PEAK|fact")


def wave_ranges(file: BinaryIO, start: int, stop: int) -> list[ByteRange]:
    """Find the WAVs that were joined to one file, and correct unknown and impossible sizes of their samples.

    Parameters
    ----------
    file : binary file
    start, stop : int
        Offsets between which they are.
    """
    ranges: list[ByteRange] = []
    while True:
        byte_range, end = _wave(file, start, stop)
        ranges.append(byte_range)
        file.seek(end)
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return ranges
        start = end


def _wave(file: BinaryIO, start: int, stop: int) -> tuple[ByteRange, int]:
    """Return the range of the WAV that begins at `start`, and the offset behind its last chunk."""
    offset, size_64, samples_start, fmt = start + 12, 0, None, b""
    while offset + 8 <= stop:
        file.seek(offset)
        head = file.read(24)
        name, size = head[:4], int.from_bytes(head[4:8], "little")
        if name == b"ds64" and len(head) == 24:
            size_64 = int.from_bytes(head[16:24], "little")
        elif name == b"fmt ":
            fmt = head[8:]
        elif name == b"data":
            samples_start = offset + 8
            size = size_64 if size == UNKNOWN_32 and size_64 else size
            break
        elif not _is_name(name):
            break
        offset += 8 + size + size % 2
    if samples_start is None:
        return ByteRange(start, stop), stop
    room = stop - samples_start
    end = _last_chunk_end(file, samples_start + size + size % 2, stop)
    wrapped = room > UNKNOWN_32 > size and (room - size) % (1 << 32) < TRAILING_BYTES
    unfilled = size == 0 and end < stop and not _is_riff(file, end)
    streamed = size >= STREAMED and size > room and size_64 == 0
    broke_off = end < stop and not _is_riff(file, end) and _continues_with_samples(file, fmt, end)
    if unfilled or wrapped or streamed or broke_off:
        # An RF64 without its own sizes is read as a WAV whose size is not known.
        size_unknown = (samples_start - 4, struct.pack("<I", UNKNOWN_32))
        end = _trailing_chunks_start(file, samples_start, stop)
        return ByteRange(start, end, ((start, b"RIFF"), size_unknown)), stop
    return ByteRange(start, end if _is_riff(file, end) else stop), end


def _trailing_chunks_start(file: BinaryIO, start: int, stop: int) -> int:
    """Return the offset of the chunks without samples that end a WAV; `stop` where there are none."""
    begin = max(start, stop - SEARCHED_BYTES)
    file.seek(begin)
    for match in LAST_CHUNKS.finditer(file.read(stop - begin)):
        if _last_chunk_end(file, begin + match.start(), stop) == stop:
            return begin + match.start()
    return stop


def _continues_with_samples(file: BinaryIO, fmt: bytes, offset: int) -> bool:
    """Return whether samples follow the end that a WAV's header gives, as in a recording that broke off.

    Neighbouring samples of sound resemble each other; bytes of pictures, texts, tags and other data do not.
    """
    kind, channels, bits = (int.from_bytes(fmt[index : index + 2], "little") for index in (0, 2, 14))
    dtype = {(PCM, 16): "<i2", (PCM, 32): "<i4", (FLOAT, 32): "<f4"}.get((PCM if kind == EXTENSIBLE else kind, bits))
    file.seek(offset)
    data = file.read(COMPARED_FRAMES * channels * bits // 8)
    if kind in (PCM, EXTENSIBLE) and bits == 24:
        dtype, data = "<i2", bytes(byte for index, byte in enumerate(data) if index % 3)
    if dtype is None or not channels:
        return False
    width = np.dtype(dtype).itemsize * channels
    with np.errstate(invalid="ignore"):
        samples = np.frombuffer(data[: len(data) // width * width], dtype)[::channels].astype(np.float64)
    if len(samples) < LEAST_FRAMES or not (np.abs(samples) < LARGEST_SAMPLE).all():
        return False
    samples -= samples.mean()
    power = float((samples**2).sum())
    return power > 0 and float((samples[1:] * samples[:-1]).sum()) > power / 2


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def _is_riff(file: BinaryIO, offset: int) -> bool:
    file.seek(offset)
    return file.read(4) in (b"RIFF", b"RF64")


def _last_chunk_end(file: BinaryIO, offset: int, stop: int) -> int:
    """Return the offset behind the last of the chunks that begin at `offset`; `stop` where they fill the rest."""
    while offset + 8 <= stop:
        file.seek(offset)
        head = file.read(8)
        size = int.from_bytes(head[4:8], "little")
        if head[:4] in (b"RIFF", b"RF64") or not _is_name(head[:4]) or offset + 8 + size > stop:
            return offset
        offset += 8 + size + size % 2
    return stop
