"""Frames of FLAC files: how long one really is, and where another begins that was joined to it."""

from __future__ import annotations

import dataclasses
from typing import BinaryIO

MARK = b"fLaC"
STREAMINFO_BYTES = 34
# From the start of a file to the 36 bits of STREAMINFO that count the samples.
TOTAL_AT, TOTAL_BYTES, TOTAL_BITS = 18, 8, 36
# Where frames are looked for: the largest that encoders write are far smaller, those that the format allows are not.
NEAR, FAR = 1 << 16, 1 << 24
PROBES = 8
SCAN_BYTES = 1 << 20
LONGEST_HEADER = 16
VARIABLE = 1


@dataclasses.dataclass(frozen=True)
class FlacPart:
    """One FLAC file within a file.

    Parameters
    ----------
    start, stop : int
        Offsets in bytes.
    header_samples : int
        Samples that STREAMINFO gives; 0 where it gives none.
    samples : int
        Samples up to the end of the last frame that begins there.
    """

    start: int
    stop: int
    header_samples: int
    samples: int

    def patch(self, file: BinaryIO) -> tuple[int, bytes]:
        """Offset and bytes of a STREAMINFO that gives the true length."""
        file.seek(self.start + TOTAL_AT)
        field = int.from_bytes(file.read(TOTAL_BYTES), "big")
        return self.start + TOTAL_AT, (field >> TOTAL_BITS << TOTAL_BITS | self.samples).to_bytes(TOTAL_BYTES, "big")


def flac_parts(file: BinaryIO, start: int, stop: int) -> list[FlacPart]:
    """Find the FLAC files that were joined between two offsets; a whole file is one.

    The whole is read only where the last frame contradicts STREAMINFO, or frames do not follow each other.
    """
    first = _measured(file, start, stop)
    if first.samples == first.header_samples and _in_order(file, start, stop):
        return [first]
    starts = [start, *_further(file, start, stop)]
    return [_measured(file, *place) for place in zip(starts, [*starts[1:], stop], strict=True)]


def _measured(file: BinaryIO, start: int, stop: int) -> FlacPart:
    file.seek(start + TOTAL_AT)
    header_samples = int.from_bytes(file.read(TOTAL_BYTES), "big") & ((1 << TOTAL_BITS) - 1)
    block, audio = _layout(file, start)
    for reach in (NEAR, FAR):
        begin = max(audio, stop - reach)
        frames = _frames(file, begin, stop, block)
        ends = {at + size for at, size in frames}
        # Bytes that merely look like a frame follow no other.
        for at, size in reversed(frames):
            if at in ends:
                return FlacPart(start, stop, header_samples, at + size - _first_sample(file, audio, stop, block))
        if begin == audio:
            break
    return FlacPart(start, stop, header_samples, header_samples)


def _layout(file: BinaryIO, start: int) -> tuple[int, int]:
    """Return the size of blocks in samples and the offset of the first frame."""
    file.seek(start + 8)
    info = file.read(4)
    at, last = start + 4, False
    while not last:
        file.seek(at)
        head = file.read(4)
        if len(head) < 4:
            break
        last = bool(head[0] & 0x80)
        at += 4 + int.from_bytes(head[1:], "big")
    return int.from_bytes(info[2:4], "big"), at


def _first_sample(file: BinaryIO, audio: int, stop: int, block: int) -> int:
    """Number of the first sample, which in a piece cut out of another file is not 0."""
    frames = _frames(file, audio, min(stop, audio + LONGEST_HEADER), block)
    return frames[0][0] if frames else 0


def _in_order(file: BinaryIO, start: int, stop: int) -> bool:
    """Whether the frames at some places count upwards; those of files of one length that were joined do not."""
    block, audio = _layout(file, start)
    if stop - audio < PROBES * NEAR:
        return not _further(file, start, stop)
    last = 0
    for probe in range(1, PROBES + 1):
        begin = audio + (stop - audio) * probe // (PROBES + 1)
        frames = _frames(file, begin, begin + NEAR, block)
        ends = {at + size for at, size in frames}
        at = next((at for at, _ in frames if at in ends), last)
        if at < last:
            return False
        last = at
    return True


def _further(file: BinaryIO, start: int, stop: int) -> list[int]:
    """Offsets of the FLAC files that begin behind the first."""
    found = []
    overlap = len(MARK) + 4
    for begin in range(start + 1, stop, SCAN_BYTES):
        file.seek(begin)
        data = file.read(min(SCAN_BYTES + overlap, stop - begin))
        at = data.find(MARK)
        while 0 <= at < SCAN_BYTES:
            if data[at + 4 : at + 8] in (b"\0\0\0\x22", b"\x80\0\0\x22"):
                found.append(begin + at)
            at = data.find(MARK, at + 1)
    return found


def _frames(file: BinaryIO, start: int, stop: int, block: int) -> list[tuple[int, int]]:
    """First sample and number of samples of what looks like frames between two offsets."""
    file.seek(start)
    data = file.read(max(0, stop - start))
    found = []
    at = data.find(b"\xff")
    while at >= 0:
        if data[at + 1 : at + 2] in (b"\xf8", b"\xf9") and (frame := _frame(data[at : at + LONGEST_HEADER], block)):
            found.append(frame)
        at = data.find(b"\xff", at + 1)
    return found


def _frame(head: bytes, block: int) -> tuple[int, int] | None:
    """Return the first sample and the number of samples of the frame that begins here; None where none does."""
    if len(head) < 6 or head[3] & 1 or head[3] >> 4 > 10:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if size_code == 0 or rate_code == 15:
        return None
    # The number is coded as UTF-8 codes characters, with up to 36 bits.
    lead = head[4]
    extra = 0 if lead < 0x80 else 8 - (~lead & 0xFF).bit_length() - 1
    if lead >= 0x80 and not 1 <= extra <= 6:
        return None
    number = lead if extra == 0 else lead & (0x3F >> extra)
    at = 5
    for byte in head[at : at + extra]:
        number = number << 6 | byte & 0x3F
    at += extra
    if size_code in (6, 7):
        size = int.from_bytes(head[at : at + size_code - 5], "big") + 1
        at += size_code - 5
    else:
        size = 192 if size_code == 1 else 576 << (size_code - 2) if size_code < 6 else 256 << (size_code - 8)
    at += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if at >= len(head) or _crc8(head[:at]) != head[at]:
        return None
    return (number if head[1] & VARIABLE else number * block), size


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc
