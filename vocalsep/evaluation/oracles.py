"""Oracle masks: computed from the true stems, an upper bound of what a mask can reach.

E. Vincent, R. Gribonval, M. Plumbley: "Oracle estimators for the benchmarking of source separation algorithms", 2007;
H. Erdogan, J. Hershey, S. Watanabe, J. Le Roux: "Phase-sensitive and recognition-boosted speech separation using deep
recurrent neural networks", ICASSP 2015, for the phase-sensitive mask.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..dsp.front_end import FrontEndConfig
from ..dsp.streaming_stft import InverseStft, Stft

FRONT_END = FrontEndConfig(n_fft=4096, hop=1024, bins=2049)
TINY = 1e-12
# Samples that are transformed at a time.
PIECE = 64 * FRONT_END.hop


def _ratio(vocals: np.ndarray, rest: np.ndarray) -> np.ndarray:
    return _share(np.abs(vocals), np.abs(rest))


def _power_ratio(vocals: np.ndarray, rest: np.ndarray) -> np.ndarray:
    return _share(np.square(np.abs(vocals)), np.square(np.abs(rest)))


def _share(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    share: np.ndarray = own / (own + other + TINY)
    return share


def _binary(vocals: np.ndarray, rest: np.ndarray) -> np.ndarray:
    return (np.abs(vocals) > np.abs(rest)).astype(np.float32)


def _phase_sensitive(vocals: np.ndarray, rest: np.ndarray) -> np.ndarray:
    mixture = vocals + rest
    return np.clip((vocals * mixture.conj()).real / (np.square(np.abs(mixture)) + TINY), 0, 1)


ORACLES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "IRM1": _ratio,
    "IRM2": _power_ratio,
    "IBM": _binary,
    "PSM": _phase_sensitive,
}


def oracle_vocals(name: str, vocals: np.ndarray, accompaniment: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """Separate a mixture with a mask made from its true stems.

    Parameters
    ----------
    name : str
        ``IRM1`` (ratio of magnitudes), ``IRM2`` (of powers), ``IBM`` (the louder of both), ``PSM`` (phase-sensitive,
        clipped to 0..1). Windows of 4096 samples, hop 1024, all bins.
    vocals, accompaniment, mixture : ndarray (channels, samples)

    Returns
    -------
    ndarray (channels, samples), float32
        The vocals; what remains of the mixture is the accompaniment.
    """
    stems = (vocals, accompaniment, mixture)
    forward = [Stft(FRONT_END, mixture.shape[0]) for _ in stems]
    inverse = InverseStft(FRONT_END, mixture.shape[0])

    def masked(true: np.ndarray, rest: np.ndarray, mixed: np.ndarray) -> np.ndarray:
        return inverse.push(mixed * ORACLES[name](true, rest))

    blocks = []
    for start in range(0, mixture.shape[1], PIECE):
        pieces = [np.asarray(stem[:, start : start + PIECE], np.float32) for stem in stems]
        blocks.append(masked(*(each.push(piece) for each, piece in zip(forward, pieces, strict=True))))
    blocks.append(masked(*(each.flush() for each in forward)))
    return np.concatenate(blocks, axis=1)[:, : mixture.shape[1]]
