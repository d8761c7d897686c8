"""Pitch and tempo, changed independently."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

N_FFT = 2048
HOP = 512


def shift(sounds: Sequence[np.ndarray], sample_rate: int, *, tempo: float, semitones: float) -> list[np.ndarray]:
    """Change tempo and pitch of several sounds that belong together.

    Parameters
    ----------
    sounds : sequence of ndarray (channels, samples), float32
        All of one shape, such as the stems of a song: they stay in time with each other.
    sample_rate : int
        Hz.
    tempo : float
        Factor of the tempo.
    semitones : float
        By how much the pitch rises.

    Returns
    -------
    list of ndarray (channels, samples / tempo), float32
    """
    pitch = 2 ** (semitones / 12)
    # Stretched first, then played faster: the second step undoes the first one's length and leaves the pitch.
    stretched = stretch(np.concatenate(list(sounds)), pitch / tempo)
    fast = soxr.resample(stretched.T, sample_rate * pitch, sample_rate, "MQ").T if pitch != 1 else stretched
    length = round(sounds[0].shape[1] / tempo)
    fitted = np.zeros((fast.shape[0], length), np.float32)
    fitted[:, : fast.shape[1]] = fast[:, :length]
    return np.split(fitted, len(sounds))


def stretch(audio: np.ndarray, factor: float) -> np.ndarray:
    """Make audio longer by a factor at the same pitch, with a phase vocoder.

    J. Laroche, M. Dolson: "Improved phase vocoder time-scale modification of audio", 1999: the phases round a spectral
    peak are locked to the peak's. Peaks are those of all channels together, so that the stereo image and the relation
    between stems hold.

    Parameters
    ----------
    audio : ndarray (channels, samples), float32
    factor : float

    Returns
    -------
    ndarray (channels, samples * factor), float32
    """
    length = round(audio.shape[1] * factor)
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    padded = np.pad(audio, ((0, 0), (N_FFT // 2, N_FFT + HOP)))
    frames = -(-length // HOP) + 1
    places = np.minimum(np.round(np.arange(frames) * HOP / factor).astype(int), padded.shape[1] - N_FFT)
    advance = 2 * np.pi * np.arange(N_FFT // 2 + 1) / N_FFT
    out = np.zeros((audio.shape[0], frames * HOP + N_FFT), np.float32)
    last_phase = last_synthesis = np.zeros(N_FFT // 2 + 1)
    last_place = 0
    for at, place in enumerate(places):
        spectrum = np.fft.rfft(padded[:, place : place + N_FFT] * window, axis=1)
        leader = spectrum.sum(axis=0)
        phase = np.angle(leader)
        if at:
            step = place - last_place
            wanted = advance * step
            drift = phase - last_phase - wanted
            frequency = advance + (drift - 2 * np.pi * np.round(drift / (2 * np.pi))) / max(step, 1)
            synthesis = last_synthesis + frequency * HOP if step else last_synthesis + advance * HOP
            turned = (synthesis - phase)[_nearest_peak(np.abs(leader))]
        else:
            turned = np.zeros_like(phase)
        last_synthesis, last_phase, last_place = phase + turned, phase, place
        piece = np.fft.irfft(spectrum * np.exp(1j * turned), axis=1).astype(np.float32)
        out[:, at * HOP : at * HOP + N_FFT] += piece * window
    scale = np.float32(HOP / np.square(window).sum())
    return np.ascontiguousarray(out[:, N_FFT // 2 : N_FFT // 2 + length] * scale)


def _nearest_peak(magnitude: np.ndarray) -> np.ndarray:
    """For each bin, the spectral peak that it belongs to."""
    inner = magnitude[1:-1]
    peaks = np.flatnonzero((inner >= magnitude[:-2]) & (inner > magnitude[2:])) + 1
    if len(peaks) == 0:
        return np.arange(len(magnitude))
    borders = (peaks[1:] + peaks[:-1]) // 2
    nearest: np.ndarray = peaks[np.searchsorted(borders, np.arange(len(magnitude)))]
    return nearest
