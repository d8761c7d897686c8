"""What every open audio file has in common: what it is, and its samples block by block, sound and whole."""

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
# Containers round their duration; only a larger shortfall than this is worth a word.
ROUNDED_S = 1.0
# Nothing audible is this loud; squares of larger values overflow 32-bit floats.
LOUDEST = 1e9


@dataclasses.dataclass(frozen=True)
class SourceInfo:
    """What an audio file says of itself.

    Parameters
    ----------
    path : pathlib.Path
    container, codec : str
    sample_rate : int
        Hz.
    channels : int
    samples : int or None
        Length in samples per channel, as far as that is known before decoding; None where it is not.
    subtype : str
        The sample type that holds what the file holds: ``PCM_16``, ..., ``FLOAT`` (also for lossy codecs).
    lossy : bool
    video : bool
        Whether there is a moving picture.
    length_tolerance_s : float
        How many seconds `samples` may be too large in a whole file: none where it was counted, some where a container
        rounds, any number where it is guessed from the size of the file.
    stream : int
        Index, from 0, of the audio stream that is decoded.
    streams : tuple of AudioStream
        All audio streams, where the format can hold several.
    layout : str
        Which speakers the channels are for, as `layouts` names it; empty where the file does not say.
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
        """Length in seconds, None where the file does not say."""
        return None if self.samples is None else self.samples / self.sample_rate

    @property
    def wide(self) -> bool:
        """Whether samples need more than a 32-bit float."""
        return self.subtype in ("PCM_32", "DOUBLE")

    @property
    def bounded(self) -> bool:
        """Whether the format itself keeps samples within full scale."""
        return self.subtype in INTEGER_BITS


class Source:
    """An open audio file that yields its samples block by block; a context manager.

    Attributes
    ----------
    info : SourceInfo
    read : int
        Samples per channel that `blocks` has yielded so far.
    repaired : int
        Samples that were NaN, infinite or impossibly large, and were replaced by silence.
    order : list of int or None
        Which channel of the file comes first, second ... in a WAVE file, where that is another order.
    damaged : str
        What was passed over in a damaged file: a few packets, or more where `salvage` allows it; else empty.
    remarks : list of str
        What a person should know of the file, complete once `blocks` has ended.
    header_samples : int
        Samples that the header gives, where they may be others than `info` has; else 0.
    seekable : bool
        Whether libsndfile by itself can read the file from its middle.
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
        raise NotImplementedError

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield arrays (channels, samples): float64 where the file holds more than 24 bits, else float32.

        Raises
        ------
        AudioError
            The file is damaged, or was changed meanwhile, and `salvage` was not asked for.
        """
        for block in _joined_blocks(self._decoded_of_file()):
            wrong = ~(np.abs(block) < LOUDEST)
            if wrong.any():
                self.repaired += int(wrong.sum())
                block = np.where(wrong, block.dtype.type(0), block)
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

    def _decoded_of_file(self) -> Iterator[np.ndarray]:
        try:
            yield from self._decoded()
        except AudioError as error:
            raise error.about(self.info.path) from None

    @property
    def expected(self) -> int | None:
        """Samples in all as far as that is known; None where it is not, or where more have come than were promised."""
        samples = self.info.samples
        return None if samples is None or samples < self.read else samples

    def _missing_s(self, samples: int) -> float:
        """Seconds that the header promises beyond so many samples; 0 where it gives no length, or one about right."""
        info = self.info
        length_tolerance_s = (
            ROUNDED_S if self.header_samples and math.isinf(info.length_tolerance_s) else info.length_tolerance_s
        )
        missing_s = ((self.header_samples or info.samples or 0) - samples) / info.sample_rate
        return missing_s if missing_s > length_tolerance_s else 0.0

    def _damage(self, what: str) -> None:
        if not self.salvage:
            raise DamagedError(
                f"damaged file, {what}", path=self.info.path, hint="salvage=True takes what can be decoded"
            )
        self.damaged = self.damaged or what


def _state(path: pathlib.Path) -> tuple[int, ...] | None:
    """Return what changes with a file's content; None where it is gone, which does not disturb whoever has it open."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _joined_blocks(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Join small blocks to larger ones: codecs hand out anything from a single sample up."""
    held: list[np.ndarray] = []
    samples = 0
    for block in blocks:
        held.append(block)
        samples += block.shape[1]
        if samples >= BLOCK_SAMPLES:
            yield np.concatenate(held, axis=1)
            held, samples = [], 0
    if samples:
        yield np.concatenate(held, axis=1)
