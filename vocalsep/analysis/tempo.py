"""The tempo of a song and its beats.

Onsets are rises of the spectrum; the tempo is the period at which they repeat, with a preference for tempos that people
tap; the beats are the best path through the onsets at that period (D. P. W. Ellis, Beat Tracking by Dynamic
Programming, Journal of New Music Research 36, 2007).
"""

from __future__ import annotations

import numpy as np

from .frames import MagnitudeFrames, agreement

SIZE, HOP = 1024, 256
BANDS = 24
LOWEST_HZ = 40.0
# Magnitudes above this one count by their logarithm.
QUIET = 1e-3
SLOWEST_BPM, FASTEST_BPM = 40.0, 240.0
GRID = 1.0025
# Tempos that people tap lie around this one, within about an octave.
USUAL_BPM, OCTAVES = 120.0, 0.9
# Beats whose repetition is looked for.
MULTIPLES = 4
PASSAGE_S = 12.0
LONGEST_LAG_S = MULTIPLES * 60 / SLOWEST_BPM
SMOOTHED_S = 1.0
# Ellis' weight of a steady period.
TIGHTNESS = 100.0
# Estimates that differ by less are the same.
TOLERANCE = 0.04
FEWEST_BEATS, SPAN = 4, 16
# Where in its window an onset raises the spectrum most, in samples; measured with clicks.
ONSET_AT = 726


class TempoFinder:
    """Find the tempo and the beats of a stream of samples.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int):
        self._sample_rate = sample_rate
        self._rate = sample_rate / HOP
        self._frames = MagnitudeFrames(SIZE, HOP)
        edges = np.geomspace(LOWEST_HZ, sample_rate / 2, BANDS + 1) * SIZE / sample_rate
        self._edges = np.unique(np.rint(edges).astype(int).clip(1, SIZE // 2))[:-1]
        self._last: np.ndarray | None = None
        self._rises: list[np.ndarray] = []

    def push(self, samples: np.ndarray) -> None:
        """Take samples (samples,) of one channel."""
        magnitudes = self._frames.push(samples)
        if len(magnitudes):
            levels = np.log1p(np.add.reduceat(magnitudes, self._edges, axis=1) / QUIET)
            before = levels[:1] if self._last is None else self._last
            self._last = levels[-1:]
            self._rises.append(np.maximum(0, np.diff(levels, axis=0, prepend=before)).mean(axis=1))

    def finish(self) -> tuple[float | None, float, np.ndarray]:
        """Return the tempo, how sure it is, and the beats.

        Returns
        -------
        bpm : float or None
            Beats per minute; None where nothing repeats.
        confidence : float
            How often it comes out, within 4 %, when the song's passages are drawn anew.
        beats : ndarray (beats,)
            In seconds.
        """
        onsets = np.concatenate([np.zeros(0), *self._rises])
        smooth = max(1, round(SMOOTHED_S * self._rate))
        passages = self._repetition(onsets)
        if len(onsets) <= smooth or not passages.any():
            return None, 0.0, np.zeros(0)
        bpm = self._best_tempo(passages.sum(axis=0))
        confidence = agreement(passages, lambda sums: abs(self._best_tempo(sums) / bpm - 1) < TOLERANCE)
        beats = self._beats(onsets / (onsets.std() or 1.0), bpm)
        if len(beats) >= FEWEST_BEATS:
            span = min(SPAN, len(beats) - 1)
            bpm = 60 * span / float(np.median(beats[span:] - beats[:-span]))
        return bpm, confidence, beats

    def _repetition(self, onsets: np.ndarray) -> np.ndarray:
        """Return the autocorrelation of the onsets of each passage, (passages, lags)."""
        length, lags = round(PASSAGE_S * self._rate), round(LONGEST_LAG_S * self._rate) + 2
        rows = []
        for start in range(0, max(1, len(onsets) - length // 2), length // 2):
            part = onsets[start : start + length]
            part = part - part.mean() if len(part) else part
            spectrum = np.fft.rfft(part, 2 * max(length, lags))
            row = np.fft.irfft(np.abs(spectrum) ** 2)[:lags]
            # Of fewer samples at longer lags the mean is taken.
            row = row / np.maximum(len(part) - np.arange(lags), length // 4)
            rows.append(row / row[0] if row[0] > 0 else np.zeros(lags))
        return np.array(rows)

    def _best_tempo(self, repetition: np.ndarray) -> float:
        steps = int(np.log(FASTEST_BPM / SLOWEST_BPM) / np.log(GRID))
        tempos = SLOWEST_BPM * GRID ** np.arange(steps + 1)
        periods = 60 * self._rate / tempos
        lags = np.arange(len(repetition))
        repeated = sum(np.interp(n * periods, lags, repetition) / n for n in range(1, MULTIPLES + 1))
        usual = np.exp(-0.5 * (np.log2(tempos / USUAL_BPM) / OCTAVES) ** 2)
        return float(tempos[np.argmax(np.maximum(repeated, 0) * usual)])

    def _beats(self, onsets: np.ndarray, bpm: float) -> np.ndarray:
        """Return the times of the beats in seconds: the path of steps of about a period with the strongest onsets."""
        period = 60 * self._rate / bpm
        steps = np.arange(-round(2 * period), -round(period / 2) + 1)
        cost = TIGHTNESS * np.log(-steps / period) ** 2
        reach = -int(steps[0])
        scores = np.zeros(reach + len(onsets))
        sources = np.full(len(onsets), -1)
        for index, onset in enumerate(onsets):
            candidates = scores[index + reach + steps[0] : index + reach + steps[-1] + 1] - cost
            best = int(np.argmax(candidates))
            scores[index + reach] = onset + max(0.0, float(candidates[best]))
            if candidates[best] > 0:
                sources[index] = index + steps[best]
        last_part = scores[-round(min(2 * period, len(onsets))) :]
        index = len(onsets) - len(last_part) + int(np.argmax(last_part))
        path = []
        while index >= 0:
            path.append(index)
            index = int(sources[index])
        return (np.array(path[::-1]) * HOP + ONSET_AT) / self._sample_rate
