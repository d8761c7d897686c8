"""The audio files of which a file consists: usually one, several where files were joined by ``cat``."""

from __future__ import annotations

import os
import pathlib
import struct
from collections.abc import Callable, Iterable
from typing import BinaryIO

from .byte_range import ByteRange
from .enclosing_tags import is_mpeg, leading_tags_end, trailing_tags_start
from .flac import MARK as FLAC
from .flac import flac_ranges
from .mp4_boxes import FILE_TYPE, mp4_boxes
from .wave_ranges import wave_ranges

PAGE_HEADER, SEGMENTS_OFFSET = 27, 26
BEGINS_STREAM = 2
SEARCHED_BYTES = 1 << 16
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
UNKNOWN_32 = 0xFFFFFFFF
# WavPack's flag of the first block of all channels.
INITIAL_BLOCK = 1 << 11
FLV_TAGS = (8, 9, 18)
FLV_TAG_BYTES, FLV_BACK_POINTER = 11, 4


def find_joined_files(path: pathlib.Path) -> list[ByteRange]:
    """Find the audio files of which a file consists, in order.

    Nothing is decoded. A file of an unknown format is one range from its first to its last byte.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    list of ByteRange
        At least one.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        stop = file.seek(0, os.SEEK_END)
        start = leading_tags_end(file, stop)
        file.seek(start)
        head = file.read(32)
        if head.startswith(b"OggS"):
            return _chained_ogg(file, start, stop)
        if head.startswith(FLAC):
            return [
                ByteRange(part.start, part.stop)
                if part.samples == part.header_samples
                else ByteRange(part.start, part.stop, (part.patch(file),), part.header_samples)
                for part in flac_ranges(file, start, stop)
            ]
        if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
            return wave_ranges(file, start, stop)
        if head[4:8] == FILE_TYPE and start == 0:
            return _ranges(start, stop, (offset for name, offset, _ in mp4_boxes(file) if name == FILE_TYPE))
        if head.startswith(b".snd") and head[8:12] == bytes(4):
            # A size that was never filled in.
            return [ByteRange(start, stop, ((start + 8, b"\xff" * 4),))]
        if is_mpeg(head):
            return [ByteRange(start, trailing_tags_start(file, start, stop))]
        for mark, end_of in END_OF_FORMAT.items():
            if head.startswith(mark):
                return _one_after_another(file, start, stop, mark, end_of)
        return [ByteRange(start, stop)]


def _ranges(start: int, stop: int, offsets: Iterable[int]) -> list[ByteRange]:
    """Return the ranges that begin at `start` and at the later ones of some offsets."""
    starts = [start, *(offset for offset in offsets if offset > start)]
    return [ByteRange(*pair) for pair in zip(starts, [*starts[1:], stop], strict=True)]


def _one_after_another(
    file: BinaryIO, start: int, stop: int, mark: bytes, end_of: Callable[[BinaryIO, int, int], int | None]
) -> list[ByteRange]:
    """Find the files that follow each other, each with the same first bytes; tags may stand between them."""
    ranges: list[ByteRange] = []
    while True:
        end = end_of(file, start, stop)
        following = _find(file, mark, max(end or 0, start + len(mark)), stop)
        if following is None:
            return [*ranges, ByteRange(start, stop)]
        ranges.append(ByteRange(start, following if end is None else min(end, following)))
        start = following


def _chained_ogg(file: BinaryIO, start: int, stop: int) -> list[ByteRange]:
    """Find the links of a chained Ogg: each begins with the first pages of its streams."""
    starts = []
    offset, in_first_pages = start, False
    while offset < stop:
        file.seek(offset)
        head = file.read(PAGE_HEADER + 255)
        if not head.startswith(b"OggS") or len(head) < PAGE_HEADER:
            following = _find(file, b"OggS", offset + 1, stop)
            if following is None:
                break
            offset = following
            continue
        is_first_page = bool(head[5] & BEGINS_STREAM)
        if is_first_page and not in_first_pages:
            starts.append(offset)
        in_first_pages = is_first_page
        segments = head[SEGMENTS_OFFSET]
        offset += PAGE_HEADER + segments + sum(head[PAGE_HEADER : PAGE_HEADER + segments])
    return _ranges(start, stop, starts[1:])


def _find(file: BinaryIO, mark: bytes, offset: int, stop: int) -> int | None:
    while offset < stop:
        file.seek(offset)
        data = file.read(SEARCHED_BYTES)
        index = data.find(mark)
        if index >= 0:
            return offset + index
        if len(data) < len(mark):
            return None
        offset += len(data) - len(mark) + 1
    return None


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    """Read bytes at an offset; zeros stand for those behind the end of the file."""
    file.seek(offset)
    return file.read(size).ljust(size, b"\0")


def _number(file: BinaryIO, offset: int, size: int, order: str) -> int:
    return int.from_bytes(_read(file, offset, size), "big" if order == "big" else "little")


def _aiff_end(file: BinaryIO, start: int, stop: int) -> int:
    size = _number(file, start + 4, 4, "big")
    return start + 8 + size + size % 2


def _au_end(file: BinaryIO, start: int, stop: int) -> int:
    size = _number(file, start + 8, 4, "big")
    return stop if size == UNKNOWN_32 else start + _number(file, start + 4, 4, "big") + size


def _caf_end(file: BinaryIO, start: int, stop: int) -> int:
    offset = start + 8
    while offset + 12 <= stop:
        name = _read(file, offset, 4)
        size = int.from_bytes(_read(file, offset + 4, 8), "big", signed=True)
        if name == b"data" and size < 0:
            return stop
        if name == b"caff" or not 0 <= size <= stop - offset - 12:
            break
        offset += 12 + size
    return offset


def _w64_end(file: BinaryIO, start: int, stop: int) -> int:
    return start + _number(file, start + 16, 8, "little")


def _dsf_end(file: BinaryIO, start: int, stop: int) -> int:
    return start + _number(file, start + 12, 8, "little")


def _dff_end(file: BinaryIO, start: int, stop: int) -> int:
    return start + 12 + _number(file, start + 4, 8, "big")


def _voc_end(file: BinaryIO, start: int, stop: int) -> int:
    offset = start + _number(file, start + 20, 2, "little")
    while offset < stop and _read(file, offset, 1) != b"\0":
        offset += 4 + _number(file, offset + 1, 3, "little")
    return offset + 1


def _tta_end(file: BinaryIO, start: int, stop: int) -> int:
    rate, samples = (_number(file, start + offset, 4, "little") for offset in (10, 14))
    frames = -(-samples // max(1, 256 * rate // 245))
    table = _read(file, start + 22, min(4 * frames, max(0, stop - start) // 4 * 4))
    sizes = (size for (size,) in struct.iter_unpack("<I", table))
    return start + 22 + len(table) + 4 + sum(sizes) if frames else stop


def _ape_end(file: BinaryIO, start: int, stop: int) -> int:
    # Older files have no descriptor.
    if _number(file, start + 4, 2, "little") < 3980:
        return stop
    lengths = [_number(file, start + offset, 4, "little") for offset in (8, 12, 16, 20, 24, 32)]
    return start + sum(lengths) + (_number(file, start + 28, 4, "little") << 32)


def _wavpack_end(file: BinaryIO, start: int, stop: int) -> int:
    offset, last = start, -1
    while (block := _read(file, offset, 32)).startswith(b"wvpk"):
        size, index, samples, flags = (int.from_bytes(block[at : at + 4], "little") for at in (4, 16, 20, 24))
        if samples and flags & INITIAL_BLOCK:
            if index <= last:
                break
            last = index
        offset += 8 + size
    return offset


def _asf_end(file: BinaryIO, start: int, stop: int) -> int:
    offset = start
    while offset < stop and (offset == start or _read(file, offset, 16) != ASF_HEADER):
        size = _number(file, offset + 16, 8, "little")
        if not 24 <= size <= stop - offset:
            # The size of a broadcast's data is not known.
            return stop if size == 0 and _read(file, offset, 16) == ASF_DATA else offset
        offset += size
    return offset


def _flv_end(file: BinaryIO, start: int, stop: int) -> int:
    offset = start + _number(file, start + 5, 4, "big") + FLV_BACK_POINTER
    while offset < stop and (tag := _read(file, offset, 4))[0] in FLV_TAGS:
        offset += FLV_TAG_BYTES + int.from_bytes(tag[1:], "big") + FLV_BACK_POINTER
    return offset


def _unknown_end(file: BinaryIO, start: int, stop: int) -> None:
    """Return None: the first bytes of these formats are long enough to be searched for in the whole file."""


# By the first bytes: the function that returns the offset behind a file's last byte, as its headers have it.
END_OF_FORMAT: dict[bytes, Callable[[BinaryIO, int, int], int | None]] = {
    b"FORM": _aiff_end,
    b".snd": _au_end,
    b"caff": _caf_end,
    b"riff\x2e\x91\xcf\x11": _w64_end,
    b"DSD \x1c\0\0\0": _dsf_end,
    b"FRM8": _dff_end,
    b"Creative Voice File\x1a": _voc_end,
    b"TTA1": _tta_end,
    b"MAC ": _ape_end,
    b"wvpk": _wavpack_end,
    ASF_HEADER: _asf_end,
    b"FLV\x01": _flv_end,
    b"nut/multimedia container\0": _unknown_end,
    b".RMF\0\0\0\x12": _unknown_end,
    bytes.fromhex("b7d800203749da11a64e0007e95ead8d"): _unknown_end,  # WTV
    b"#!AMR": _unknown_end,
}
