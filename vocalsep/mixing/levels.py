"""Levels, polarity and stereo image. Audio is (channels, samples), float32, and not modified in place."""

from __future__ import annotations

import numpy as np

# Sounds with a lower RMS count as silent.
SILENT_RMS = 1e-5


def amplify(audio: np.ndarray, gain_db: float) -> np.ndarray:
    """Change the level by a gain in dB."""
    return audio * np.float32(10 ** (gain_db / 20))


def rms(audio: np.ndarray) -> float:
    """Return the root mean square over all channels and samples."""
    return float(np.sqrt(np.mean(np.square(audio), dtype=np.float64))) if audio.size else 0.0


def balance(vocals: np.ndarray, accompaniment: np.ndarray, ratio_db: float) -> np.ndarray:
    """Scale vocals to a level in dB relative to the accompaniment's; unchanged if either is silent."""
    own, other = rms(vocals), rms(accompaniment)
    if min(own, other) < SILENT_RMS:
        return vocals.copy()
    return vocals * np.float32(other / own * 10 ** (ratio_db / 20))


def add_noise(audio: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise at a ratio of audio to noise in dB, unless either is silent."""
    own, other = rms(audio), rms(noise)
    if min(own, other) < SILENT_RMS:
        return audio.copy()
    return audio + noise * np.float32(own / other * 10 ** (-snr_db / 20))


def swap_channels(audio: np.ndarray) -> np.ndarray:
    """Exchange left and right."""
    return np.ascontiguousarray(audio[::-1])


def invert(audio: np.ndarray) -> np.ndarray:
    """Invert the polarity."""
    return -audio


def narrow(audio: np.ndarray, width: float) -> np.ndarray:
    """Scale the differences between channels, from mono at 0 to no change at 1."""
    middle = audio.mean(axis=0, keepdims=True)
    return (middle + np.float32(width) * (audio - middle)).astype(np.float32)
