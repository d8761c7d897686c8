"""The stems of a song as raw PCM files that grow while it is separated, served as WAV files."""

from __future__ import annotations

import contextlib
import math
import pathlib
import struct
from collections.abc import Iterator

import numpy as np

from ..dsp.exact_sum import STEMS
from ..errors import OutputError
from .error_messages import write_error

HEADER_BYTES = 44
# Samples per channel that make one peak of the waveform.
PEAK_SAMPLES = 2048
READ_SAMPLES = 1 << 16
MAX_WAV_BYTES = (1 << 32) - 1


class StemWriter:
    """Write both stems of a song block by block; a context manager that closes the files.

    Parameters
    ----------
    vocals, accompaniment : pathlib.Path
        Existing files are overwritten.
    bits : int
        16 or 24.

    Raises
    ------
    OutputError
        They cannot be written. DiskFullError where the disk is full.
    """

    def __init__(self, vocals: pathlib.Path, accompaniment: pathlib.Path, bits: int):
        self.bits = bits
        with contextlib.ExitStack() as stack:
            try:
                self._files = [stack.enter_context(path.open("wb")) for path in (vocals, accompaniment)]
            except OSError as error:
                raise _write_error(error) from None
            self._stack = stack.pop_all()

    def __enter__(self) -> StemWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, vocals: np.ndarray, accompaniment: np.ndarray) -> None:
        """Append a block to both stems, and flush it so that it can be read at once.

        Parameters
        ----------
        vocals, accompaniment : ndarray (channels, samples)
            Full scale is at +-1.
        """
        try:
            for file, stem in zip(self._files, (vocals, accompaniment), strict=True):
                file.write(encode_pcm(stem, self.bits))
                file.flush()
        except OSError as error:
            raise _write_error(error) from None

    def close(self) -> None:
        """Close both files."""
        try:
            self._stack.close()
        except OSError as error:
            raise _write_error(error) from None


def encode_pcm(stem: np.ndarray, bits: int) -> bytes:
    """Return (channels, samples) as interleaved little-endian integers."""
    scale = float(2 ** (bits - 1))
    integers = np.clip(np.rint(stem.T.astype(np.float64) * scale), -scale, scale - 1)
    if bits == 16:
        return integers.astype("<i2").tobytes()
    return np.ascontiguousarray(integers.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def decode_pcm(data: bytes, channels: int, bits: int) -> np.ndarray:
    """Invert `encode_pcm`: return (channels, samples), float32."""
    if bits == 16:
        integers = np.frombuffer(data, "<i2").astype(np.float32)
    else:
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        integers = (padded.view("<i4")[:, 0] >> 8).astype(np.float32)
    return integers.reshape(-1, channels).T / np.float32(2 ** (bits - 1))


def read_blocks(
    path: pathlib.Path, channels: int, bits: int, first: int = 0, stop: int | None = None
) -> Iterator[np.ndarray]:
    """Yield a stem's samples in blocks (channels, samples); raises OutputError if the file is gone.

    Parameters
    ----------
    path : pathlib.Path
    channels, bits : int
    first, stop : int
        Samples per channel from which and up to which the stem is read, by default all.
    """
    frame = channels * bits // 8
    left = math.inf if stop is None else (stop - first) * frame
    try:
        with path.open("rb") as file:
            file.seek(first * frame)
            while data := file.read(int(min(READ_SAMPLES * frame, left))):
                left -= len(data)
                yield decode_pcm(data, channels, bits)
    except OSError as error:
        raise OutputError(f"a stem cannot be read ({error.strerror})") from None


def wav_header(channels: int, sample_rate: int, bits: int, samples: int) -> bytes:
    """Return the 44 bytes that begin a WAV file of `samples` per channel."""
    frame = channels * bits // 8
    size = min(samples * frame, MAX_WAV_BYTES - HEADER_BYTES)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, sample_rate, sample_rate * frame, frame, bits)
    return b"RIFF" + struct.pack("<I", size + HEADER_BYTES - 8) + b"WAVE" + form + b"data" + struct.pack("<I", size)


class WaveformPeaks:
    """The waveform of both stems: the largest absolute value of every `PEAK_SAMPLES` samples.

    Attributes
    ----------
    peaks : dict of list of float
        By stem.
    """

    def __init__(self) -> None:
        self.peaks: dict[str, list[float]] = {stem: [] for stem in STEMS}
        self._remainders = [np.zeros(0, np.float32) for _ in STEMS]

    def push(self, vocals: np.ndarray, accompaniment: np.ndarray) -> None:
        """Add a block (channels, samples) of both stems."""
        for index, (name, stem) in enumerate(zip(STEMS, (vocals, accompaniment), strict=True)):
            values = np.concatenate([self._remainders[index], np.abs(stem).max(axis=0).astype(np.float32)])
            complete = values.size // PEAK_SAMPLES * PEAK_SAMPLES
            self._append(name, values[:complete].reshape(-1, PEAK_SAMPLES).max(axis=1))
            self._remainders[index] = values[complete:]

    def flush(self) -> None:
        """Make a last peak of the samples that are left."""
        for name, remainder in zip(STEMS, self._remainders, strict=True):
            if remainder.size:
                self._append(name, remainder.max(keepdims=True))

    def _append(self, name: str, values: np.ndarray) -> None:
        self.peaks[name] += [round(float(value), 4) for value in values]


def _write_error(error: OSError) -> OutputError:
    return write_error("the stems cannot be written", error)
