"""Where the sound in a file is.

It may stand behind tags, before other tags, in several files that were joined, and under sizes that no recorder has
ever filled in.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import pathlib
import re
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

from .boxes import FILE_TYPE, mp4_boxes, mp4_index
from .flac import MARK as FLAC
from .flac import flac_parts

UNKNOWN_32 = 0xFFFFFFFF
# Programs that write a WAV to a pipe put a size about this large in its header.
STREAMED = 0x7FFF0000
PAGE_HEADER, SEGMENTS_AT = 27, 26
BEGINS_STREAM = 2
SEARCHED_BYTES = 1 << 16
# Chunks behind the samples of a WAV of more than 4 GiB, whose size wraps round.
TRAILING_BYTES = 1 << 20
FIRST_BYTES = (b"RIFF", b"RF64", b"riff", b"FORM", b"OggS", FLAC, b".snd", b"caff", b"ID3", b"TTA1", b"wvpk", b"MAC ")
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
COMPARED_FRAMES, LEAST_FRAMES = 4096, 256
LARGEST_SAMPLE = 1 << 32
LAST_CHUNKS = re.compile(rb"LIST|id3 |ID3 |bext|cue |iXML|axml|_PMX|PEAK|fact")
ID3V1, ID3V1_EXTENDED, APE_FOOTER = 128, 227, 32


@dataclasses.dataclass(frozen=True)
class Part:
    """One whole sound file within a file.

    Parameters
    ----------
    start, stop : int
        Offsets in bytes.
    patches : tuple of (int, bytes)
        Offsets in the whole file, and what is to be read there instead: headers that give a wrong size.
    announced : int
        Samples that its header gives where that is not what is there, else 0.
    """

    start: int
    stop: int
    patches: tuple[tuple[int, bytes], ...] = ()
    announced: int = 0


class PartFile:
    """A part of an open file, to be read like a file of its own."""

    def __init__(self, file: BinaryIO, part: Part):
        self.file = file
        self.part = part
        self.name = file.name
        self.at = 0

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, or all that are left."""
        place = self.part.start + self.at
        left = max(0, self.part.stop - place)
        if not left:
            return b""
        self.file.seek(place)
        data = self.file.read(left if size < 0 else min(size, left))
        for offset, patch in self.part.patches:
            begin, end = max(offset, place), min(offset + len(patch), place + len(data))
            if begin < end:
                mended = patch[begin - offset : end - offset]
                data = data[: begin - place] + mended + data[end - place :]
        self.at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move and return the place; raises ValueError for one before the start."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.part.stop - self.part.start}[whence]
        if base + offset < 0:
            raise ValueError("negative place")
        self.at = base + offset
        return self.at

    def tell(self) -> int:
        """Return the place."""
        return self.at

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return False."""
        return False

    def write(self, data: bytes, /) -> int:
        """Refuse: a part is only read."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def close(self) -> None:
        """Close the whole file."""
        self.file.close()


def find_parts(path: pathlib.Path) -> list[Part]:
    """Find the sound files of which a file consists, in order; most files are one.

    Nothing is decoded. Offsets of formats that are not known here are those of the whole file.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        stop = file.seek(0, os.SEEK_END)
        start = _behind_tags(file, stop)
        file.seek(start)
        head = file.read(12)
        if head.startswith(b"OggS"):
            return _links(file, start, stop)
        if head.startswith(FLAC):
            return [
                Part(one.start, one.stop)
                if one.samples == one.announced
                else Part(one.start, one.stop, (one.patch(file),), one.announced)
                for one in flac_parts(file, start, stop)
            ]
        if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
            return _waves(file, start, stop)
        if head.startswith(b"FORM") and head[8:] in (b"AIFF", b"AIFC"):
            return _one_after_another(start, stop, _forms(file, start, stop))
        if head[4:8] == FILE_TYPE and start == 0 and b"vide" not in mp4_index(file):
            begins = (at for name, at, _ in mp4_boxes(file) if name == FILE_TYPE)
            return _one_after_another(start, stop, begins)
        if head.startswith(b".snd"):
            unknown = head[8:12] == bytes(4)
            return [Part(start, stop, ((start + 8, b"\xff" * 4),) if unknown else ())]
        if is_mpeg(head):
            return [Part(start, _before_tags(file, start, stop))]
        return [Part(start, stop)]


def is_mpeg(head: bytes) -> bool:
    """Whether a file begins with a frame of MPEG audio."""
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def _behind_tags(file: BinaryIO, stop: int) -> int:
    """Offset of what follows the ID3v2 and APE tags, and zeros, in front."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(APE_FOOTER)
        size = 0
        if head.startswith(b"ID3") and len(head) > 10 and all(byte < 0x80 for byte in head[6:10]):
            size = 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
            size += 10 if head[5] & 0x10 else 0
        elif head.startswith(b"APETAGEX") and len(head) == APE_FOOTER:
            size = APE_FOOTER + int.from_bytes(head[12:16], "little")
        elif head == bytes(APE_FOOTER):
            size = _zeros(file, at, stop)
        if size == 0 or at + size >= stop:
            return at
        at += size


def _zeros(file: BinaryIO, at: int, stop: int) -> int:
    """Number of zeros before a file that is known by its first bytes; 0 before others, which may begin with zeros."""
    place = at
    while place < stop:
        file.seek(place)
        data = file.read(SEARCHED_BYTES)
        rest = data.lstrip(b"\0")
        place += len(data) - len(rest)
        if rest:
            file.seek(place)
            head = file.read(12)
            return place - at if head.startswith(FIRST_BYTES) or is_mpeg(head) else 0
        if not data:
            break
    return 0


def _before_tags(file: BinaryIO, start: int, stop: int) -> int:
    """Offset of the tags that end a file: ID3v1, APE, Lyrics3, in any order and number."""
    while True:
        before = stop
        file.seek(max(start, stop - ID3V1_EXTENDED - ID3V1))
        tail = file.read(min(ID3V1_EXTENDED + ID3V1, stop - start))
        ape = tail[-APE_FOOTER:]
        if tail[-ID3V1:].startswith(b"TAG"):
            stop -= ID3V1 + (ID3V1_EXTENDED if tail.startswith(b"TAG+") else 0)
        elif ape.startswith(b"APETAGEX"):
            header = APE_FOOTER if int.from_bytes(ape[20:24], "little") & 1 << 31 else 0
            stop -= int.from_bytes(ape[12:16], "little") + header
        elif tail.endswith(b"LYRICS200") and tail[-15:-9].isdigit():
            stop -= int(tail[-15:-9]) + 15
        elif tail.endswith(b"LYRICSEND"):
            file.seek(max(start, stop - 5200))
            begin = file.read(5200).rfind(b"LYRICSBEGIN", 0, stop - max(start, stop - 5200))
            stop = max(start, stop - 5200) + begin if begin >= 0 else stop
        if stop == before:
            return stop
        if stop <= start:
            return before


def _links(file: BinaryIO, start: int, stop: int) -> list[Part]:
    """Find the links of a chained Ogg: each begins with the first pages of its streams."""
    starts = []
    at, beginning = start, False
    while at < stop:
        file.seek(at)
        head = file.read(PAGE_HEADER + 255)
        if not head.startswith(b"OggS") or len(head) < PAGE_HEADER:
            found = _next(file, b"OggS", at + 1, stop)
            if found is None:
                break
            at = found
            continue
        begins = bool(head[5] & BEGINS_STREAM)
        if begins and not beginning:
            starts.append(at)
        beginning = begins
        segments = head[SEGMENTS_AT]
        at += PAGE_HEADER + segments + sum(head[PAGE_HEADER : PAGE_HEADER + segments])
    return _one_after_another(start, stop, starts[1:])


def _one_after_another(start: int, stop: int, begins: Iterable[int]) -> list[Part]:
    """Return the parts that begin at `start` and at the later ones of some offsets."""
    starts = [start, *(at for at in begins if at > start)]
    return [Part(*place) for place in zip(starts, [*starts[1:], stop], strict=True)]


def _forms(file: BinaryIO, start: int, stop: int) -> Iterator[int]:
    """Yield the offset of each AIFF in a row of them."""
    at = start
    while at < stop:
        file.seek(at)
        head = file.read(12)
        if head[:4] != b"FORM" or head[8:] not in (b"AIFF", b"AIFC"):
            return
        yield at
        size = int.from_bytes(head[4:8], "big")
        at += 8 + size + size % 2


def _next(file: BinaryIO, mark: bytes, at: int, stop: int) -> int | None:
    while at < stop:
        file.seek(at)
        data = file.read(SEARCHED_BYTES)
        found = data.find(mark)
        if found >= 0:
            return at + found
        if len(data) < len(mark):
            return None
        at += len(data) - len(mark) + 1
    return None


def _waves(file: BinaryIO, start: int, stop: int) -> list[Part]:
    """Find the WAVs that were joined, and mend the sizes of samples that are unknown or cannot be."""
    parts: list[Part] = []
    while True:
        one, end = _wave(file, start, stop)
        parts.append(one)
        file.seek(end)
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return parts
        start = end


def _wave(file: BinaryIO, start: int, stop: int) -> tuple[Part, int]:
    """Return a WAV and the offset of what follows its last chunk."""
    at, wide, sound, form = start + 12, 0, None, b""
    while at + 8 <= stop:
        file.seek(at)
        head = file.read(24)
        name, size = head[:4], int.from_bytes(head[4:8], "little")
        if name == b"ds64" and len(head) == 24:
            wide = int.from_bytes(head[16:24], "little")
        elif name == b"fmt ":
            form = head[8:]
        elif name == b"data":
            sound = at + 8
            size = wide if size == UNKNOWN_32 and wide else size
            break
        elif not _is_name(name):
            break
        at += 8 + size + size % 2
    if sound is None:
        return Part(start, stop), stop
    room = stop - sound
    end = _chunks_end(file, sound + size + size % 2, stop)
    wrapped = room > UNKNOWN_32 > size and (room - size) % (1 << 32) < TRAILING_BYTES
    never_filled = size == 0 and end < stop and not _is_riff(file, end)
    streamed = size >= STREAMED and size > room and wide == 0
    if never_filled or wrapped or streamed or (end < stop and not _is_riff(file, end) and _goes_on(file, form, end)):
        # An RF64 without its own sizes is read as a WAV whose size is not known.
        size_unknown = (sound - 4, struct.pack("<I", UNKNOWN_32))
        return Part(start, _before_chunks(file, sound, stop), ((start, b"RIFF"), size_unknown)), stop
    return Part(start, end if _is_riff(file, end) else stop), end


def _before_chunks(file: BinaryIO, start: int, stop: int) -> int:
    """Offset of the chunks that end a WAV and that hold no sound; `stop` where there are none."""
    begin = max(start, stop - SEARCHED_BYTES)
    file.seek(begin)
    for found in LAST_CHUNKS.finditer(file.read(stop - begin)):
        if _chunks_end(file, begin + found.start(), stop) == stop:
            return begin + found.start()
    return stop


def _goes_on(file: BinaryIO, form: bytes, at: int) -> bool:
    """Whether what follows the end that a WAV gives is sound: a recorder that died had counted no further.

    Each sample is then near the one before, which is not so in pictures, texts, tags and other data.
    """
    kind, channels, bits = (int.from_bytes(form[place : place + 2], "little") for place in (0, 2, 14))
    dtype = {(PCM, 16): "<i2", (PCM, 32): "<i4", (FLOAT, 32): "<f4"}.get((PCM if kind == EXTENSIBLE else kind, bits))
    file.seek(at)
    data = file.read(COMPARED_FRAMES * channels * bits // 8)
    if kind in (PCM, EXTENSIBLE) and bits == 24:
        dtype, data = "<i2", bytes(byte for place, byte in enumerate(data) if place % 3)
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


def _is_riff(file: BinaryIO, at: int) -> bool:
    file.seek(at)
    return file.read(4) in (b"RIFF", b"RF64")


def _chunks_end(file: BinaryIO, at: int, stop: int) -> int:
    """Offset behind the last of the chunks that begin here; `stop` where they fill the rest."""
    while at + 8 <= stop:
        file.seek(at)
        head = file.read(8)
        size = int.from_bytes(head[4:8], "little")
        if head[:4] in (b"RIFF", b"RF64") or not _is_name(head[:4]) or at + 8 + size > stop:
            return at
        at += 8 + size + size % 2
    return stop
