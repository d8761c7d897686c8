"""Both stems as raw samples that grow on disk, and the WAV files that they look like from outside."""

from __future__ import annotations

import pathlib
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from ..dsp.exact_sum import STEMS
from ..errors import OutputError
from ..system.atomic_files import reason

HEADER_BYTES = 44
# Samples per channel under one point of the overview.
PEAK_SAMPLES = 2048
READ_SAMPLES = 1 << 16
LARGEST = (1 << 32) - 1


class StemWriter:
    """Appends blocks of both stems to their files; a context manager that closes them.

    Parameters
    ----------
    vocals, accompaniment : pathlib.Path
        Begun anew.
    bits : int
        16 or 24.

    Raises
    ------
    OutputError
        They cannot be written, as when the disk is full.
    """

    def __init__(self, vocals: pathlib.Path, accompaniment: pathlib.Path, bits: int):
        self.bits = bits
        self.files: list[BinaryIO] = []
        try:
            self.files = [path.open("wb") for path in (vocals, accompaniment)]
        except OSError as error:
            self.close()
            raise _failure(error) from None

    def __enter__(self) -> StemWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, vocals: np.ndarray, accompaniment: np.ndarray) -> None:
        """Append (channels, samples) of both, full scale at +-1; what is written can be read at once."""
        try:
            for file, stem in zip(self.files, (vocals, accompaniment), strict=True):
                file.write(encoded(stem, self.bits))
                file.flush()
        except OSError as error:
            raise _failure(error) from None

    def close(self) -> None:
        """Close both files."""
        for file in self.files:
            try:
                file.close()
            except OSError as error:
                raise _failure(error) from None


def encoded(stem: np.ndarray, bits: int) -> bytes:
    """Return (channels, samples) as little-endian integers, channel beside channel."""
    scale = float(2 ** (bits - 1))
    whole = np.clip(np.rint(stem.T.astype(np.float64) * scale), -scale, scale - 1)
    if bits == 16:
        return whole.astype("<i2").tobytes()
    return np.ascontiguousarray(whole.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def decoded(data: bytes, channels: int, bits: int) -> np.ndarray:
    """Invert `encoded`: bytes to (channels, samples), float32."""
    if bits == 16:
        whole = np.frombuffer(data, "<i2").astype(np.float32)
    else:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        whole = (wide.view("<i4")[:, 0] >> 8).astype(np.float32)
    return whole.reshape(-1, channels).T / np.float32(2 ** (bits - 1))


def blocks(path: pathlib.Path, channels: int, bits: int) -> Iterator[np.ndarray]:
    """Yield a stem's samples, (channels, samples) each; raises OutputError if the file is gone."""
    size = READ_SAMPLES * channels * bits // 8
    try:
        with path.open("rb") as file:
            while data := file.read(size):
                yield decoded(data, channels, bits)
    except OSError as error:
        raise OutputError(f"a stem cannot be read ({error.strerror})") from None


def wav_header(channels: int, sample_rate: int, bits: int, samples: int) -> bytes:
    """Return the 44 bytes with which a WAV file of so many samples begins."""
    frame = channels * bits // 8
    size = min(samples * frame, LARGEST - HEADER_BYTES)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, sample_rate, sample_rate * frame, frame, bits)
    return b"RIFF" + struct.pack("<I", size + HEADER_BYTES - 8) + b"WAVE" + form + b"data" + struct.pack("<I", size)


class Peaks:
    """The overview of both stems: the largest absolute value of every `PEAK_SAMPLES` samples."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {stem: [] for stem in STEMS}
        self._rest = [np.zeros(0, np.float32) for _ in STEMS]

    def push(self, vocals: np.ndarray, accompaniment: np.ndarray, last: bool = False) -> None:
        """Take (channels, samples) of both; with `last`, what fills no point by itself becomes one too."""
        for place, (name, stem) in enumerate(zip(STEMS, (vocals, accompaniment), strict=True)):
            loud = np.concatenate([self._rest[place], np.abs(stem).max(axis=0).astype(np.float32)])
            whole = loud.size // PEAK_SAMPLES * PEAK_SAMPLES
            points = loud[:whole].reshape(-1, PEAK_SAMPLES).max(axis=1)
            self._rest[place] = loud[whole:]
            if last and self._rest[place].size:
                points = np.append(points, self._rest[place].max())
            self.found[name] += [round(float(point), 4) for point in points]


def _failure(error: OSError) -> OutputError:
    return OutputError(f"the stems cannot be written: {reason(error)}")
