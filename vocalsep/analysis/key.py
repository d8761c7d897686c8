"""The key of a song: how long each pitch class sounds, compared with how well each fits into a key.

The key is the one whose profile correlates best (C. L. Krumhansl, Cognitive Foundations of Musical Pitch, Oxford
University Press 1990, chapter 4). The profiles are how often each pitch class occurs in music whose key is known (J.
Albrecht and D. Shanahan, The Use of Large Corpora to Train a New Type of Key-Finding Algorithm, Music Perception 31,
2013): sound has the pitches that are played, and those that listeners rate as fitting are others, above all the fifth.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .frames import MagnitudeFrames, agreement

# The share of each semitone above the tonic, in a major and in a minor key.
MAJOR = np.array([0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081])
MINOR = np.array([0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052])
MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
SEMITONES = 12
# Steps of a semitone in which pitches are counted, so that the tuning of the song can be found.
STEPS = 5
SIZE, HOP = 8192, 2048
LOWEST_HZ, HIGHEST_HZ = 50.0, 2000.0
C_HZ = 440 * 2 ** (-9 / 12)
# Peaks that are this much weaker than the strongest of their frame, or not so much above the mean of the bins around
# them, are noise.
WEAKEST, PROMINENT, AROUND = 0.02, 2.5, 41
# A frame whose strongest peak is weaker is silence.
SILENCE = 1e-4
PASSAGE_S = 5.0


@dataclasses.dataclass(frozen=True)
class Key:
    """A key.

    Parameters
    ----------
    tonic : int
        Semitones above C, 0 to 11.
    minor : bool
    """

    tonic: int
    minor: bool

    @property
    def name(self) -> str:
        """Such as ``A minor``."""
        names = MINOR_NAMES if self.minor else MAJOR_NAMES
        return f"{names[self.tonic]} {'minor' if self.minor else 'major'}"

    def transposed(self, semitones: int) -> Key:
        """Return the key so many semitones higher."""
        return Key((self.tonic + semitones) % SEMITONES, self.minor)


class KeyFinder:
    """Find the key of a stream of samples.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int):
        self._frames = MagnitudeFrames(SIZE, HOP)
        self._bin_hz = sample_rate / SIZE
        self._bins = slice(int(LOWEST_HZ / self._bin_hz), int(HIGHEST_HZ / self._bin_hz))
        self._per_passage = max(1, round(PASSAGE_S * sample_rate / HOP))
        self._pitches: list[np.ndarray] = []
        self._count = 0

    def push(self, samples: np.ndarray) -> None:
        """Take samples (samples,) of one channel."""
        for magnitudes in self._frames.push(samples):
            if self._count % self._per_passage == 0:
                self._pitches.append(np.zeros(SEMITONES * STEPS))
            self._count += 1
            self._pitches[-1] += self._pitch_classes(magnitudes)

    def finish(self) -> tuple[Key | None, float]:
        """Find the key of all samples.

        Returns
        -------
        key : Key or None
            None for silence.
        confidence : float
            How often the key comes out when the song's passages are drawn anew, times the correlation with its profile:
            about 0.9 for songs that stay in a key, below 0.6 for a guess.
        """
        passages = np.array(self._pitches).reshape(-1, SEMITONES * STEPS)
        if not passages.any():
            return None, 0.0
        chroma = _chroma(passages)
        whole = chroma.sum(axis=0)
        key = _best_key(whole)
        return key, agreement(chroma, lambda sums: _best_key(sums) == key) * max(0.0, _correlation(whole, key))

    def _pitch_classes(self, magnitudes: np.ndarray) -> np.ndarray:
        """Return the share of each pitch class, in steps, of a frame's peaks."""
        before, here, after = (magnitudes[self._bins.start + n : self._bins.stop + n] for n in (-1, 0, 1))
        highest = here.max()
        counts = np.zeros(SEMITONES * STEPS)
        if highest < SILENCE:
            return counts
        around = np.convolve(here, np.full(AROUND, 1 / AROUND), "same")
        floor = np.maximum(WEAKEST * highest, PROMINENT * around)
        peaks = np.flatnonzero((here > before) & (here >= after) & (here > floor))
        # The peak of a parabola through the logarithms of three bins.
        left, middle, right = (np.log(one[peaks] + 1e-12) for one in (before, here, after))
        shift = 0.5 * (left - right) / (left - 2 * middle + right)
        frequencies = (peaks + self._bins.start + shift) * self._bin_hz
        steps = np.rint(SEMITONES * STEPS * np.log2(frequencies / C_HZ)).astype(int) % (SEMITONES * STEPS)
        np.add.at(counts, steps, np.sqrt(here[peaks] / highest))
        return counts


def _chroma(passages: np.ndarray) -> np.ndarray:
    """Return the share of each semitone, in the tuning that the song has."""
    steps = np.arange(SEMITONES * STEPS)
    deviation = np.angle((passages.sum(axis=0) * np.exp(2j * np.pi * steps / STEPS)).sum()) / (2 * np.pi)
    tuned = np.roll(passages, STEPS // 2 - round(deviation * STEPS), axis=1)
    return tuned.reshape(len(passages), SEMITONES, STEPS).sum(axis=2)


def _best_key(chroma: np.ndarray) -> Key:
    keys = [Key(tonic, minor) for minor in (False, True) for tonic in range(SEMITONES)]
    return max(keys, key=lambda key: _correlation(chroma, key))


def _correlation(chroma: np.ndarray, key: Key) -> float:
    profile = np.roll(MINOR if key.minor else MAJOR, key.tonic)
    deviation = chroma - chroma.mean()
    spread = float(np.linalg.norm(deviation) * np.linalg.norm(profile - profile.mean()))
    return float(deviation @ (profile - profile.mean())) / spread if spread > 0 else 0.0
