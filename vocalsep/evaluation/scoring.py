"""Score the estimate of one track."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from ..dsp.metrics import si_sdr, usdr
from .bss import bss_v3, bss_v4, median_v4
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


def score(track: ReferenceTrack, estimate: StemPair, settings: ScoringSettings) -> dict[str, dict[str, float]]:
    """Return the figures of vocals and of accompaniment, by the names that tables print.

    Parameters
    ----------
    track : ReferenceTrack
    estimate : tuple of ndarray (channels, samples)
        Vocals and accompaniment.
    settings : ScoringSettings

    Returns
    -------
    dict of dict of float
        nan where a figure is not defined: the reference, or for some figures the estimate, is silent. Infinite
        figures (a perfect estimate) stay.
    """
    references = np.stack([track.vocals, track.accompaniment])
    estimates = np.stack(estimate)
    figures: dict[str, dict[str, float]] = {stem: {} for stem in SCORED}
    if "bss" in settings.metrics:
        frames = bss_v4(references, estimates, track.sample_rate, settings.window_s, settings.hop_s)
        for index, stem in enumerate(SCORED):
            figures[stem] |= median_v4(frames, index)
    for name, metric in (("usdr", usdr), ("si-sdr", si_sdr)):
        if name in settings.metrics:
            for index, stem in enumerate(SCORED):
                figures[stem][_PRINTED[name]] = metric(references[index], estimates[index])
    if "nsdr" in settings.metrics:
        for stem, v3 in zip(SCORED, bss_v3(references, estimates, track.mixture), strict=True):
            figures[stem] |= v3
    return figures


_PRINTED = {"usdr": "uSDR", "si-sdr": "SI-SDR"}


def silent_stems(track: ReferenceTrack) -> list[str]:
    """Return which stems of a track are silent, and so have no score."""
    stems = {"vocals": track.vocals, "accompaniment": track.accompaniment}
    return [name for name, stem in stems.items() if math.isclose(float(np.abs(stem).max(initial=0.0)), 0.0)]
