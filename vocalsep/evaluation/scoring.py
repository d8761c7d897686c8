"""Score the estimate of one track."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from ..dsp.metrics import si_sdr, usdr
from .bss import V3, bss_v3, bss_v4, median_v4
from .methods import ReferenceTrack, StemPair

METRICS = ("bss", "usdr", "si-sdr", "nsdr")
SCORED = ("vocals", "accompaniment")


@dataclasses.dataclass(frozen=True)
class ScoringSettings:
    """Metrics and their settings.

    Parameters
    ----------
    metrics : tuple of str
        ``bss`` (BSS Eval v4: SDR, ISR, SIR, SAR), ``usdr``, ``si-sdr``, ``nsdr`` (BSS Eval v3: NSDR, SIR, SAR).
    window_s, hop_s : float
        Windows of BSS Eval v4 in seconds.
    snr_db : float, optional
        See `methods.load_track`.
    """

    metrics: tuple[str, ...] = METRICS
    window_s: float = 1.0
    hop_s: float = 1.0
    snr_db: float | None = None


class TrackScorer:
    """Scores the estimates of one track.

    Parameters
    ----------
    track : ReferenceTrack
    settings : ScoringSettings
    """

    def __init__(self, track: ReferenceTrack, settings: ScoringSettings):
        self._track = track
        self._settings = settings
        self._references = np.stack([track.vocals, track.accompaniment])
        # A view: the mixture as an estimate of both stems.
        self._mixtures = np.broadcast_to(track.mixture, self._references.shape)

    def score(self, estimate: StemPair) -> dict[str, dict[str, float]]:
        """Return the figures of vocals and of accompaniment, by the names that tables print.

        Parameters
        ----------
        estimate : tuple of ndarray (channels, samples)
            Vocals and accompaniment.

        Returns
        -------
        dict of dict of float
            nan where a figure is not defined: the reference, or for some figures the estimate, is silent. Infinite
            figures (a perfect estimate) stay.
        """
        references, estimates, settings = self._references, np.stack(estimate), self._settings
        figures: dict[str, dict[str, float]] = {stem: {} for stem in SCORED}
        if "bss" in settings.metrics:
            frames = bss_v4(references, estimates, self._track.sample_rate, settings.window_s, settings.hop_s)
            for index, stem in enumerate(SCORED):
                figures[stem] |= median_v4(frames, index)
        for name, metric in (("usdr", usdr), ("si-sdr", si_sdr)):
            if name in settings.metrics:
                for index, stem in enumerate(SCORED):
                    figures[stem][_PRINTED[name]] = metric(references[index], estimates[index])
        if "nsdr" in settings.metrics:
            gain, sir, sar = self._v3(estimates)
            for index, stem in enumerate(SCORED):
                figures[stem] |= dict(zip(V3, (float(gain[index]), float(sir[index]), float(sar[index])), strict=True))
        return figures

    def _v3(self, estimates: np.ndarray) -> np.ndarray:
        """Return the gain of SDR over the mixture's own, SIR and SAR, (3, sources), in dB."""
        mixture = self._mixture_v3
        if np.isnan(mixture[0]).any():
            return np.full_like(mixture, math.nan)
        scores = mixture if np.array_equal(estimates, self._mixtures) else bss_v3(self._references, estimates)
        return np.stack([scores[0] - mixture[0], scores[1], scores[2]])

    @functools.cached_property
    def _mixture_v3(self) -> np.ndarray:
        """SDR, SIR and SAR of the mixture as an estimate of both stems: all methods need them, so once a track."""
        return bss_v3(self._references, self._mixtures)


_PRINTED = {"usdr": "uSDR", "si-sdr": "SI-SDR"}


def silent_stems(track: ReferenceTrack) -> list[str]:
    """Return which stems of a track are silent, and so have no score."""
    stems = {"vocals": track.vocals, "accompaniment": track.accompaniment}
    return [name for name, stem in stems.items() if math.isclose(float(np.abs(stem).max(initial=0.0)), 0.0)]
