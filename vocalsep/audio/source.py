"""What every open audio file has in common: what it is, and its samples block by block, sound and whole."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np

from ..errors import AudioError
from .formats import INTEGER_BITS

BLOCK_SAMPLES = 1 << 16
MOST_CHANNELS = 8
RATES_HZ = (8000, 192000)
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
        Length in samples per channel as declared; None where the file does not say.
    subtype : str
        The sample type that holds what the file holds: ``PCM_16``, ..., ``FLOAT`` (also for lossy codecs).
    lossy : bool
    video : bool
        Whether there is a moving picture.
    slack_s : float
        How many seconds `samples` may be too large in a whole file: none where it was counted, some where a container
        rounds, any number where it is guessed from the size of the file.
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
    slack_s: float = 0.0
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
    """

    def __init__(self, info: SourceInfo, salvage: bool):
        self.info = info
        self.salvage = salvage
        self.read = 0
        self.repaired = 0
        self.order: list[int] | None = None
        self.damaged = ""
        self.began_as = _state(info.path)

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
            The file is damaged, ends before its declared length, or was changed meanwhile, and `salvage` was not asked
            for.
        """
        for block in _gathered(self._decoded()):
            wrong = ~(np.abs(block) < LOUDEST)
            if wrong.any():
                self.repaired += int(wrong.sum())
                block = np.where(wrong, block.dtype.type(0), block)
            self.read += block.shape[1]
            yield block if self.order is None else block[self.order]
        info = self.info
        if info.samples is not None:
            missing = info.samples - self.read
            if missing > info.slack_s * info.sample_rate:
                self._damage(
                    f"ends early: {self.read / info.sample_rate:.1f} s of the {info.samples / info.sample_rate:.1f} s "
                    "that it announces"
                )

        if _state(info.path) not in (self.began_as, None):
            if not self.salvage:
                raise AudioError("was changed while it was being read; try again once it is whole")
            self.damaged = self.damaged or "it was changed while it was being read"

    def _damage(self, what: str) -> None:
        if not self.salvage:
            raise AudioError(f"damaged file, {what}; --salvage takes what can be decoded")
        self.damaged = self.damaged or what


def _state(path: pathlib.Path) -> tuple[int, ...] | None:
    """Return what changes with a file's content; None where it is gone, which does not disturb whoever has it open."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _gathered(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
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
