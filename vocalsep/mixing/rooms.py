"""Reverberation and doubling, which solo recordings of voices lack."""

from __future__ import annotations

import numpy as np
import scipy.signal

Range = tuple[float, float]
# Decay of the energy after RT60, by definition.
DECAY_DB = 60.0


def reverberate(
    audio: np.ndarray,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    rt60_s: Range = (0.2, 2.0),
    wet_db: Range = (-22.0, -4.0),
    delay_s: Range = (0.0, 0.08),
) -> np.ndarray:
    """Add a random room: early echoes and decaying noise, different on every channel, with less treble as it decays.

    Parameters
    ----------
    audio : ndarray (channels, samples), float32
    sample_rate : int
        Hz.
    rng : numpy.random.Generator
    rt60_s : tuple of float
        Range of the time in seconds in which the room decays by 60 dB.
    wet_db : tuple of float
        Range of the level of the reverberation relative to the direct sound.
    delay_s : tuple of float
        Range of the time before the reverberation.

    Returns
    -------
    ndarray of the same shape; the direct sound is not delayed
    """
    response = room_response(
        audio.shape[0], sample_rate, rng, rt60_s=rng.uniform(*rt60_s), delay_s=rng.uniform(*delay_s)
    )
    wet = scipy.signal.oaconvolve(audio, response, axes=1)[:, : audio.shape[1]]
    return (audio + wet * np.float32(10 ** (rng.uniform(*wet_db) / 20))).astype(np.float32)


def room_response(
    channels: int, sample_rate: int, rng: np.random.Generator, *, rt60_s: float, delay_s: float
) -> np.ndarray:
    """Draw the impulse response (channels, samples) of a room, without the direct sound, each channel of energy 1."""
    length = max(1, round(rt60_s * sample_rate))
    time = np.arange(length, dtype=np.float32) / np.float32(rt60_s * sample_rate)
    tail = rng.standard_normal((channels, length), dtype=np.float32)
    # High frequencies decay faster: a one-pole low-pass is faded in along the tail.
    dark = scipy.signal.lfilter([np.float32(0.3)], [np.float32(1), np.float32(-0.7)], tail, axis=1)
    tail = tail * (1 - time) + dark.astype(np.float32) * time * 2
    tail *= np.exp(np.float32(-DECAY_DB / 20 * np.log(10)) * time)
    for _ in range(int(rng.integers(2, 7))):
        echo = int(rng.integers(0, max(1, min(length, round(0.05 * sample_rate)))))
        tail[int(rng.integers(channels)), echo] += np.float32(rng.uniform(2, 10))
    tail /= np.sqrt(np.square(tail).sum(axis=1, keepdims=True)) + 1e-12
    return np.pad(tail, ((0, 0), (round(delay_s * sample_rate), 0)))


def double(
    audio: np.ndarray,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    voices: tuple[int, int] = (1, 2),
    delay_s: Range = (0.01, 0.04),
    cents: Range = (3.0, 20.0),
    level_db: Range = (-12.0, -2.0),
) -> np.ndarray:
    """Add delayed, detuned and panned copies of a voice (artificial double tracking).

    Parameters
    ----------
    audio : ndarray (channels, samples), float32
    sample_rate : int
        Hz.
    rng : numpy.random.Generator
    voices : tuple of int
        Fewest and most copies.
    delay_s : tuple of float
        Range of each copy's mean delay.
    cents : tuple of float
        Range of the depth of the detuning, which varies slowly.
    level_db : tuple of float
        Range of the level of each copy.

    Returns
    -------
    ndarray of the same shape
    """
    channels, samples = audio.shape
    total = audio.astype(np.float32, copy=True)
    time = np.arange(samples)
    for _ in range(int(rng.integers(voices[0], voices[1] + 1))):
        wobble_hz, phase = rng.uniform(0.3, 1.5), rng.uniform(0, 2 * np.pi)
        # A varying delay detunes by its rate of change: 1 cent is a ratio of 2 ** (1 / 1200).
        depth = (2 ** (rng.uniform(*cents) / 1200) - 1) / (2 * np.pi * wobble_hz)
        delay = rng.uniform(*delay_s) + depth + depth * np.sin(2 * np.pi * wobble_hz * time / sample_rate + phase)
        source = time - delay * sample_rate
        pan = rng.uniform(0, np.pi / 2)
        sides = np.sqrt(2) * np.array([np.cos(pan), np.sin(pan)]) if channels == 2 else np.ones(channels)
        gain = 10 ** (rng.uniform(*level_db) / 20)
        for channel in range(channels):
            copy = np.interp(source, time, audio[channel], left=0.0)
            total[channel] += (gain * sides[channel] * copy).astype(np.float32)
    return total
