"""Scores of one estimate against the truth, one number for a whole track. Arrays are (channels, samples).

Silence has defined answers: a silent reference has no score (nan), a perfect estimate is infinitely good (inf).
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import AudioError


def usdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Signal-to-distortion ratio of the whole track, in dB, with no filter allowed.

    Y. Mitsufuji et al., "Music Demixing Challenge 2021", 2022: energy of the reference over energy of the error, over
    all channels and samples.

    Returns
    -------
    float
        nan where the reference is silent.

    Raises
    ------
    AudioError
        The shapes differ.
    """
    _validate(reference, estimate)
    return _ratio_db(_energy(reference), _energy(reference.astype(np.float64) - estimate))


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio of the whole track, in dB.

    J. Le Roux, S. Wisdom, H. Erdogan, J. Hershey: "SDR - half-baked or well done?", ICASSP 2019; all channels share one
    scale, and means are not removed.

    Returns
    -------
    float
        nan where reference or estimate is silent.

    Raises
    ------
    AudioError
        The shapes differ.
    """
    _validate(reference, estimate)
    true, found = reference.astype(np.float64), estimate.astype(np.float64)
    if not true.any() or not found.any():
        return math.nan
    target = true * (np.vdot(true, found) / np.vdot(true, true))
    return _ratio_db(_energy(target), _energy(target - found))


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
