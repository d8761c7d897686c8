"""Arrays of samples that a caller of the library gives."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from ..errors import AudioError
from .source import LOUDEST, MOST_CHANNELS


def check_rate(sample_rate: Any) -> int:
    """Return a rate in Hz as an int; raises AudioError unless it is a whole number."""
    whole = isinstance(sample_rate, numbers.Real) and not isinstance(sample_rate, bool)
    if not whole or not math.isfinite(sample_rate) or sample_rate != int(sample_rate):
        raise AudioError(f"the rate is a whole number of Hz, not {sample_rate!r}")
    return int(sample_rate)


def check_samples(mixture: Any) -> np.ndarray:
    """Return floating-point samples of shape (samples,) or (channels, samples); raises AudioError for other input."""
    try:
        if type(mixture).__module__.partition(".")[0] == "torch":
            mixture = mixture.detach().cpu()
            # numpy has no 16-bit floats of this kind.
            array = mixture.float().numpy() if str(mixture.dtype) == "torch.bfloat16" else mixture.numpy()
        else:
            array = np.asarray(mixture)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AudioError(f"a mixture is an array of samples ({' '.join(str(error).split())})") from None
    if array.ndim not in (1, 2):
        raise AudioError(f"a mixture has the shape (samples,) or (channels, samples), not {array.shape}")
    if array.ndim == 2 and not 1 <= array.shape[0] <= MOST_CHANNELS:
        raise AudioError(
            f"a mixture has the shape (channels, samples) with 1 to {MOST_CHANNELS} channels, not {array.shape}; "
            "transpose arrays from soundfile"
        )
    if array.dtype.kind == "i":
        array = array.astype(np.float64) / float(2 ** (8 * array.dtype.itemsize - 1))
    elif array.dtype.kind != "f":
        raise AudioError(f"a mixture holds real numbers, not {array.dtype}")
    array = array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32, copy=False)
    if not (np.abs(array) < LOUDEST).all():
        raise AudioError("the mixture holds samples that are NaN, infinite or impossibly large")
    return array
