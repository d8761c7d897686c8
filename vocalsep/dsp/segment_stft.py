"""Short-time Fourier transform of segments of a song and its inverse, as `torch.stft` and `torch.istft` define them.

Networks of other programs that take a segment as a whole were trained with these: frames are centred, around the
segment lies its own mirror image. `streaming_stft` is for songs.
"""

from __future__ import annotations

import numpy as np

from .streaming_stft import hann_window


def centred_stft(signal: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    """Transform segments; frame ``t`` has its middle at sample ``t * hop``.

    Parameters
    ----------
    signal : ndarray (..., samples), float32
        More samples than ``n_fft / 2``.
    n_fft, hop : int
        Length of the periodic Hann window, and samples between two frames.

    Returns
    -------
    ndarray (..., n_fft / 2 + 1, samples / hop + 1), complex64
    """
    around = [(0, 0)] * (signal.ndim - 1) + [(n_fft // 2, n_fft // 2)]
    padded = np.pad(signal, around, mode="reflect")
    pieces = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=-1)[..., ::hop, :]
    spectrum: np.ndarray = np.fft.rfft(pieces * hann_window(n_fft).astype(np.float32))
    return spectrum.astype(np.complex64, copy=False).swapaxes(-1, -2)


def centred_istft(spectrum: np.ndarray, hop: int) -> np.ndarray:
    """Invert `centred_stft` for segments of a whole number of hops.

    Parameters
    ----------
    spectrum : ndarray (..., bins, frames), complex64
    hop : int

    Returns
    -------
    ndarray (..., (frames - 1) * hop), float32
    """
    n_fft, frames = 2 * (spectrum.shape[-2] - 1), spectrum.shape[-1]
    window = hann_window(n_fft).astype(np.float32)
    pieces = np.fft.irfft(spectrum.swapaxes(-1, -2), n_fft).astype(np.float32, copy=False) * window
    signal = np.zeros((*spectrum.shape[:-2], (frames - 1) * hop + n_fft), np.float32)
    overlap = np.zeros(signal.shape[-1], np.float32)
    for frame in range(frames):
        part = slice(frame * hop, frame * hop + n_fft)
        signal[..., part] += pieces[..., frame, :]
        overlap[part] += window**2
    inside = slice(n_fft // 2, n_fft // 2 + (frames - 1) * hop)
    result: np.ndarray = signal[..., inside] / overlap[inside]
    return result
