"""Common base of the decoders: the description of an audio file, and its samples block by block."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Iterator

import numpy as np

from ..errors import AudioError, DamagedError
from .formats import INTEGER_BITS
from .selection import AudioStream

BLOCK_SAMPLES = 1 << 16
MOST_CHANNELS = 8
RATES_HZ = (4000, 384000)
# Containers round their duration: a smaller difference is not reported.
ROUNDED_S = 1.0
# Largest absolute sample; squares of larger values overflow 32-bit floats.
LOUDEST = 1e9


@dataclasses.dataclass(frozen=True)
class SourceInfo:
    """Describe an audio file by its headers.

    Parameters
    ----------
    path : pathlib.Path
    container, codec : str
    sample_rate : int
        Hz.
    channels : int
    samples : int or None
        Samples per channel; None where that is not known before decoding.
    subtype : str
        Sample type that can represent the samples: ``PCM_16``, ..., ``FLOAT`` (also for lossy codecs).
    lossy : bool
    video : bool
        Whether the file holds a moving picture.
    length_tolerance_s : float
        By how many seconds `samples` may be too large in an undamaged file: 0 where it was counted, more where a
        container rounds, infinite where it is estimated from the size of the file.
    stream : int
        Index, from 0, of the audio stream that is decoded.
    streams : tuple of AudioStream
        All audio streams, of a format that can hold several.
    layout : str
        Channel layout, see `layouts`; empty where the file does not name it.
    """

    path: pathlib.Path
    container: str
    codec: str
    sample_rate: int
    channels: int
    samples: int | None
    subtype: str
    lossy: bool
    video: bool = False
    length_tolerance_s: float = 0.0
    stream: int = 0
    streams: tuple[AudioStream, ...] = ()
    layout: str = ""

    @property
    def duration(self) -> float | None:
        """Length in seconds; None where it is not known."""
        return None if self.samples is None else self.samples / self.sample_rate

    @property
    def wide(self) -> bool:
        """Whether samples need 64-bit floats."""
        return self.subtype in ("PCM_32", "DOUBLE")

    @property
    def bounded(self) -> bool:
        """Whether the sample type cannot exceed full scale."""
        return self.subtype in INTEGER_BITS


class Source:
    """An open audio file that is decoded block by block; a context manager.

    Attributes
    ----------
    info : SourceInfo
    read : int
        Samples per channel that `blocks` has yielded so far.
    repaired : int
        Number of samples that were NaN, infinite or impossibly large, and were replaced by 0.
    order : list of int or None
        Indices of the decoded channels in the order of a WAVE file; None where the order is the same.
    damaged : str
        What could not be decoded and was skipped; empty in an undamaged file.
    remarks : list of str
        What the user should know about the file; complete when `blocks` has ended.
    header_samples : int
        Samples per channel that the header gives, where `info.samples` may differ from that; else 0.
    seekable : bool
        Whether libsndfile can seek in the file under its own name.
    """

    header_samples = 0
    seekable = False

    def __init__(self, info: SourceInfo, salvage: bool):
        self.info = info
        self.salvage = salvage
        self.read = 0
        self.repaired = 0
        self.order: list[int] | None = None
        self.damaged = ""
        self.remarks: list[str] = []
        self._initial_state = _state(info.path)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        raise NotImplementedError

    def _decoded(self) -> Iterator[np.ndarray]:
        """Yield decoded blocks (channels, samples) in the order of the file."""
        raise NotImplementedError

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield arrays (channels, samples): float64 where the file holds more than 24 bits, else float32.

        Raises
        ------
        AudioError
            The file was changed while it was read, and `salvage` is not set.
        DamagedError
            The file is damaged, and `salvage` is not set.
        """
        for block in _joined_blocks(self._decoded_with_path()):
            invalid = ~(np.abs(block) < LOUDEST)
            if invalid.any():
                self.repaired += int(invalid.sum())
                block = np.where(invalid, block.dtype.type(0), block)
            self.read += block.shape[1]
            yield block if self.order is None else block[self.order]
        if missing_s := self._missing_s(self.read):
            self.remarks.append(f"ends {missing_s:.1f} s before the length that its header gives")
        if _state(self.info.path) not in (self._initial_state, None):
            if not self.salvage:
                raise AudioError(
                    "was changed while it was being read", path=self.info.path, hint="try again once it is whole"
                )
            self.damaged = self.damaged or "it was changed while it was being read"

    def _decoded_with_path(self) -> Iterator[np.ndarray]:
        try:
            yield from self._decoded()
        except AudioError as error:
            raise error.about(self.info.path) from None

    @property
    def expected(self) -> int | None:
        """Samples per channel in all; None where that is not known, or where more than those were read already."""
        samples = self.info.samples
        return None if samples is None or samples < self.read else samples

    def _missing_s(self, samples: int) -> float:
        """Return how many seconds are missing to the header's length; 0 within the tolerance, or without a length."""
        info = self.info
        tolerance_s = (
            ROUNDED_S if self.header_samples and math.isinf(info.length_tolerance_s) else info.length_tolerance_s
        )
        missing_s = ((self.header_samples or info.samples or 0) - samples) / info.sample_rate
        return missing_s if missing_s > tolerance_s else 0.0

    def _damage(self, what: str) -> None:
        if not self.salvage:
            raise DamagedError(
                f"damaged file, {what}", path=self.info.path, hint="salvage=True takes what can be decoded"
            )
        self.damaged = self.damaged or what


def _state(path: pathlib.Path) -> tuple[int, ...] | None:
    """Return what changes with a file's content; None where the file was removed, as open files stay readable."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _joined_blocks(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Concatenate small blocks: codecs decode to blocks of any size from one sample."""
    pending: list[np.ndarray] = []
    samples = 0
    for block in blocks:
        pending.append(block)
        samples += block.shape[1]
        if samples >= BLOCK_SAMPLES:
            yield np.concatenate(pending, axis=1)
            pending, samples = [], 0
    if samples:
        yield np.concatenate(pending, axis=1)
