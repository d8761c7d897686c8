"""What masks could do at best: masks made from the true stems, applied as a model's would be.

E. Vincent, R. Gribonval, M. Plumbley: "Oracle estimators for the benchmarking of source separation algorithms", 2007;
H. Erdogan, J. Hershey, S. Watanabe, J. Le Roux: "Phase-sensitive and recognition-boosted speech separation using deep
recurrent neural networks", ICASSP 2015, for the phase-sensitive mask.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..config import FrontEndConfig
from ..stft import istft, stft

FRONT_END = FrontEndConfig(n_fft=4096, hop=1024, bins=2049)
TINY = 1e-12


def _ratio(vocals: Tensor, rest: Tensor) -> Tensor:
    return vocals.abs() / (vocals.abs() + rest.abs() + TINY)


def _power_ratio(vocals: Tensor, rest: Tensor) -> Tensor:
    return vocals.abs().square() / (vocals.abs().square() + rest.abs().square() + TINY)


def _binary(vocals: Tensor, rest: Tensor) -> Tensor:
    return (vocals.abs() > rest.abs()).to(vocals.real.dtype)


def _phase_sensitive(vocals: Tensor, rest: Tensor) -> Tensor:
    mixture = vocals + rest
    return ((vocals * mixture.conj()).real / (mixture.abs().square() + TINY)).clamp(0, 1)


ORACLES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "IRM1": _ratio,
    "IRM2": _power_ratio,
    "IBM": _binary,
    "PSM": _phase_sensitive,
}


def oracle(name: str, vocals: np.ndarray, accompaniment: np.ndarray, mixture: np.ndarray) -> np.ndarray:
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
    true, rest, mixed = (
        stft(torch.from_numpy(np.ascontiguousarray(x)), FRONT_END) for x in (vocals, accompaniment, mixture)
    )
    estimate: np.ndarray = istft(mixed * ORACLES[name](true, rest), FRONT_END, mixture.shape[1]).numpy()
    return estimate
