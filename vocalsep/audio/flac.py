"""Find the true length of FLAC files from their frames, and further files that were joined to them."""

from __future__ import annotations

import dataclasses
from typing import BinaryIO

MARK = b"fLaC"
STREAMINFO_BYTES = 34
# Offset of the 8 bytes of STREAMINFO whose last 36 bits count the samples.
TOTAL_OFFSET, TOTAL_BYTES, TOTAL_BITS = 18, 8, 36
# Bytes at the end that are searched for frames: first as many as usual frames need, then as the format allows.
NEAR, FAR = 1 << 16, 1 << 24
PROBES = 8
SCAN_BYTES = 1 << 20
LONGEST_HEADER = 16
VARIABLE = 1


@dataclasses.dataclass(frozen=True)
class FlacRange:
    """One FLAC file within a file.

    Parameters
    ----------
    start, stop : int
        Offsets in bytes.
    header_samples : int
        Samples per channel that STREAMINFO gives; 0 where it gives none.
    samples : int
        Samples per channel up to the end of the last frame.
    """

    start: int
    stop: int
    header_samples: int
    samples: int

    def patch(self, file: BinaryIO) -> tuple[int, bytes]:
        """Return offset and bytes that correct the length in STREAMINFO."""
        file.seek(self.start + TOTAL_OFFSET)
        field = int.from_bytes(file.read(TOTAL_BYTES), "big")
        return self.start + TOTAL_OFFSET, (field >> TOTAL_BITS << TOTAL_BITS | self.samples).to_bytes(
            TOTAL_BYTES, "big"
        )


def flac_ranges(file: BinaryIO, start: int, stop: int) -> list[FlacRange]:
    """Find the FLAC files that were joined between two offsets; a whole file is one.

    The whole file is read only where the last frame contradicts STREAMINFO, or frame numbers do not increase.
    """
    first = _measure(file, start, stop)
    if first.samples == first.header_samples and _numbers_increase(file, start, stop):
        return [first]
    starts = [start, *_further_files(file, start, stop)]
    return [_measure(file, *pair) for pair in zip(starts, [*starts[1:], stop], strict=True)]


def _measure(file: BinaryIO, start: int, stop: int) -> FlacRange:
    file.seek(start + TOTAL_OFFSET)
    header_samples = int.from_bytes(file.read(TOTAL_BYTES), "big") & ((1 << TOTAL_BITS) - 1)
    block, audio = _layout(file, start)
    for reach in (NEAR, FAR):
        begin = max(audio, stop - reach)
        frames = _frames(file, begin, stop, block)
        ends = {sample + size for sample, size in frames}
        # A real frame starts where another one ends.
        for sample, size in reversed(frames):
            if sample in ends:
                return FlacRange(start, stop, header_samples, sample + size - _first_sample(file, audio, stop, block))
        if begin == audio:
            break
    return FlacRange(start, stop, header_samples, header_samples)


def _layout(file: BinaryIO, start: int) -> tuple[int, int]:
    """Return the size of blocks in samples and the offset of the first frame."""
    file.seek(start + 8)
    info = file.read(4)
    offset, last = start + 4, False
    while not last:
        file.seek(offset)
        head = file.read(4)
        if len(head) < 4:
            break
        last = bool(head[0] & 0x80)
        offset += 4 + int.from_bytes(head[1:], "big")
    return int.from_bytes(info[2:4], "big"), offset


def _first_sample(file: BinaryIO, audio: int, stop: int, block: int) -> int:
    """Return the number of the first sample, which is not 0 in a file that was cut out of another."""
    frames = _frames(file, audio, min(stop, audio + LONGEST_HEADER), block)
    return frames[0][0] if frames else 0


def _numbers_increase(file: BinaryIO, start: int, stop: int) -> bool:
    """Return whether frame numbers increase through the file, which they do not in joined files of equal length."""
    block, audio = _layout(file, start)
    if stop - audio < PROBES * NEAR:
        return not _further_files(file, start, stop)
    last = 0
    for probe in range(1, PROBES + 1):
        begin = audio + (stop - audio) * probe // (PROBES + 1)
        frames = _frames(file, begin, begin + NEAR, block)
        ends = {sample + size for sample, size in frames}
        sample = next((sample for sample, _ in frames if sample in ends), last)
        if sample < last:
            return False
        last = sample
    return True


def _further_files(file: BinaryIO, start: int, stop: int) -> list[int]:
    """Return the offsets of the FLAC files after the first."""
    matches = []
    overlap = len(MARK) + 4
    for begin in range(start + 1, stop, SCAN_BYTES):
        file.seek(begin)
        data = file.read(min(SCAN_BYTES + overlap, stop - begin))
        offset = data.find(MARK)
        while 0 <= offset < SCAN_BYTES:
            if data[offset + 4 : offset + 8] in (b"\0\0\0\x22", b"\x80\0\0\x22"):
                matches.append(begin + offset)
            offset = data.find(MARK, offset + 1)
    return matches


def _frames(file: BinaryIO, start: int, stop: int, block: int) -> list[tuple[int, int]]:
    """Return first sample and number of samples of each apparent frame between two offsets."""
    file.seek(start)
    data = file.read(max(0, stop - start))
    matches = []
    offset = data.find(b"\xff")
    while offset >= 0:
        is_sync = data[offset + 1 : offset + 2] in (b"\xf8", b"\xf9")
        if is_sync and (frame := _frame(data[offset : offset + LONGEST_HEADER], block)):
            matches.append(frame)
        offset = data.find(b"\xff", offset + 1)
    return matches


def _frame(head: bytes, block: int) -> tuple[int, int] | None:
    """Parse a frame header: return first sample and number of samples, None where it is not valid."""
    if len(head) < 6 or head[3] & 1 or head[3] >> 4 > 10:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if size_code == 0 or rate_code == 15:
        return None
    # The frame number is coded like UTF-8, with up to 36 bits.
    lead = head[4]
    extra = 0 if lead < 0x80 else 8 - (~lead & 0xFF).bit_length() - 1
    if lead >= 0x80 and not 1 <= extra <= 6:
        return None
    number = lead if extra == 0 else lead & (0x3F >> extra)
    offset = 5
    for byte in head[offset : offset + extra]:
        number = number << 6 | byte & 0x3F
    offset += extra
    if size_code in (6, 7):
        size = int.from_bytes(head[offset : offset + size_code - 5], "big") + 1
        offset += size_code - 5
    else:
        size = 192 if size_code == 1 else 576 << (size_code - 2) if size_code < 6 else 256 << (size_code - 8)
    offset += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if offset >= len(head) or _crc8(head[:offset]) != head[offset]:
        return None
    return (number if head[1] & VARIABLE else number * block), size


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc
