"""Key and tempo of a whole song, block by block."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from ..audio.decoding import open_source
from ..audio.resample import Resampler
from .key import Key, KeyFinder
from .tempo import TempoFinder

RATE = 22050
# So much of a song is analyzed at most.
LONGEST_S = 600.0


@dataclasses.dataclass(frozen=True)
class KeyAndTempo:
    """What was found.

    Parameters
    ----------
    key : Key or None
        None for silence.
    key_confidence, tempo_confidence : float
        0 to 1, see `KeyFinder.finish` and `TempoFinder.finish`.
    bpm : float or None
        Beats per minute; None where nothing repeats. Half or twice of it may be felt as well.
    beats : tuple of float
        Times of the beats in seconds from the start of the song.
    """

    key: Key | None
    key_confidence: float
    bpm: float | None
    tempo_confidence: float
    beats: tuple[float, ...]


class SongAnalyzer:
    """Find key and tempo of a stream of blocks; what follows after ten minutes is passed over.

    Parameters
    ----------
    channels : int
    sample_rate : int
        Hz.
    """

    def __init__(self, channels: int, sample_rate: int):
        self._resampler = Resampler(1, sample_rate, RATE)
        self._left = round(LONGEST_S * sample_rate)
        self._finders = (KeyFinder(RATE), TempoFinder(RATE))

    @property
    def full(self) -> bool:
        """Whether further blocks are passed over."""
        return self._left == 0

    def push(self, block: np.ndarray) -> None:
        """Take a block (channels, samples)."""
        block = block[:, : self._left]
        self._left -= block.shape[1]
        if block.shape[1]:
            self._push(self._resampler.push(block.mean(axis=0, keepdims=True)))

    def finish(self) -> KeyAndTempo:
        """Return what was found in all blocks."""
        self._push(self._resampler.flush())
        key, key_confidence = self._finders[0].finish()
        bpm, tempo_confidence, beats = self._finders[1].finish()
        return KeyAndTempo(key, key_confidence, bpm, tempo_confidence, tuple(round(float(one), 3) for one in beats))

    def _push(self, block: np.ndarray) -> None:
        for finder in self._finders:
            finder.push(block[0])


def analyze_song(path: pathlib.Path, stream: int | str | None = None) -> KeyAndTempo:
    """Find key and tempo of the first ten minutes of a song.

    Parameters
    ----------
    path : pathlib.Path
    stream : int, str or None
        Audio stream, see `open_source`.

    Raises
    ------
    AudioError
        The file cannot be decoded.
    """
    with open_source(path, stream=stream) as source:
        analyzer = SongAnalyzer(source.info.channels, source.info.sample_rate)
        for block in source.blocks():
            analyzer.push(block)
            if analyzer.full:
                break
        return analyzer.finish()
