"""Metrics of an estimate against its reference, one number for a whole track. Arrays are (channels, samples).

The score is nan for a silent reference and inf for a perfect estimate.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import AudioError


def usdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Compute the signal-to-distortion ratio of the whole track in dB, without distortion filters.

    Y. Mitsufuji et al., "Music Demixing Challenge 2021", 2022: energy of the reference over energy of the error, over
    all channels and samples.

    Returns
    -------
    float
        nan if the reference is silent.

    Raises
    ------
    AudioError
        The shapes differ.
    """
    _validate(reference, estimate)
    return _ratio_db(_energy(reference), _energy(reference.astype(np.float64) - estimate))


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Compute the scale-invariant signal-to-distortion ratio of the whole track in dB.

    J. Le Roux, S. Wisdom, H. Erdogan, J. Hershey: "SDR - half-baked or well done?", ICASSP 2019; all channels share one
    scale, and means are not removed.

    Returns
    -------
    float
        nan if reference or estimate is silent.

    Raises
    ------
    AudioError
        The shapes differ.
    """
    _validate(reference, estimate)
    target, estimated = reference.astype(np.float64), estimate.astype(np.float64)
    if not target.any() or not estimated.any():
        return math.nan
    scaled = target * (np.vdot(target, estimated) / np.vdot(target, target))
    return _ratio_db(_energy(scaled), _energy(scaled - estimated))


def _validate(reference: np.ndarray, estimate: np.ndarray) -> None:
    if reference.shape != estimate.shape or reference.ndim != 2:
        raise AudioError(
            f"reference and estimate must have one shape (channels, samples), not {reference.shape} and "
            f"{estimate.shape}"
        )


def _energy(signal: np.ndarray) -> float:
    return float(np.square(signal, dtype=np.float64).sum())


def _ratio_db(signal: float, error: float) -> float:
    if signal == 0:
        return math.nan
    return math.inf if error == 0 else 10 * math.log10(signal / error)
