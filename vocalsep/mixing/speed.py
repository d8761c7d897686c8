"""Change pitch and tempo of training examples independently."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..audio.key_tempo import KeyTempo


def shift(sounds: Sequence[np.ndarray], sample_rate: int, *, tempo: float, semitones: float) -> list[np.ndarray]:
    """Change tempo and pitch of several sounds that belong together.

    All channels are processed as one signal: the same overlaps are chosen for all of them, so the stems stay in time
    with each other, and the processed stems still sum to the processed mixture.

    Parameters
    ----------
    sounds : sequence of ndarray (channels, samples), float32
        All of one shape, such as the stems of a song; at most 8 channels in all.
    sample_rate : int
        Hz.
    tempo : float
        Factor of the tempo, 0.5 to 2.
    semitones : float
        By how much the pitch rises, -12 to 12.

    Returns
    -------
    list of ndarray (channels, samples / tempo), float32
    """
    signal = np.concatenate(list(sounds))
    changer = KeyTempo(len(signal), sample_rate, semitones, 100 * tempo)
    changed = np.concatenate([changer.push(signal), changer.flush()], axis=1)
    return np.split(changed, len(sounds))
