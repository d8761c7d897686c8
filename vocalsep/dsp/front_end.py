"""The configuration of a model's STFT, immutable and validated."""

from __future__ import annotations

import dataclasses

from ..checks import whole_number
from ..errors import ModelError

# A model file may come from anywhere: sizes are bounded here, before anything is allocated.
LARGEST_FFT = 1 << 16


@dataclasses.dataclass(frozen=True)
class FrontEndConfig:
    """The STFT that a model was trained on.

    Parameters
    ----------
    sample_rate : int
        Sample rate of the model in Hz.
    n_fft : int
        Window length in samples; the window is a periodic Hann.
    hop : int
        Distance between frames in samples, at most three quarters of `n_fft`: with less overlap the signal cannot be
        reconstructed.
    bins : int
        Number of bins, of the ``n_fft // 2 + 1`` from 0 Hz up, that the network processes.
    """

    sample_rate: int = 44100
    n_fft: int = 4096
    hop: int = 1024
    bins: int = 1024

    def __post_init__(self) -> None:
        whole_number("sample_rate", self.sample_rate, 1000, 384000)
        whole_number("n_fft", self.n_fft, 16, LARGEST_FFT)
        whole_number("hop", self.hop, 1, self.n_fft)
        whole_number("bins", self.bins, 1, self.n_fft // 2 + 1)
        if 4 * self.hop > 3 * self.n_fft:
            raise ModelError(f"hop {self.hop} must be at most three quarters of n_fft {self.n_fft}")

    @property
    def all_bins(self) -> int:
        """Number of bins of the whole spectrum, ``n_fft // 2 + 1``."""
        return self.n_fft // 2 + 1
