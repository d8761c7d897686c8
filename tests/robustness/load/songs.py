"""Random songs, each different from all others in every block, and the comparison of stems with them."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import soundfile

RATES = (8000, 22050, 44100)
QUIET = 6000


@dataclasses.dataclass(frozen=True)
class Upload:
    """A song to upload.

    Parameters
    ----------
    name : str
    data : bytes
        The file.
    samples : ndarray (samples, channels), int16
        What it holds.
    """

    name: str
    data: bytes
    samples: np.ndarray


def make_song(rng: np.random.Generator, number: int) -> Upload:
    """Return a random song; `number` is its name."""
    rate, channels = int(rng.choice(RATES)), int(rng.integers(1, 3))
    length = int(rng.uniform(0.3, 2.0) * rate)
    time = np.arange(length)[:, None] / rate
    tone = np.sin(2 * np.pi * rng.uniform(200, 800, channels) * time)
    samples = (QUIET * (0.7 * tone + 0.3 * rng.uniform(-1, 1, (length, channels)))).astype(np.int16)
    format_name = str(rng.choice(("WAV", "FLAC")))
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format_name, subtype="PCM_16")
    return Upload(f"{number}.{format_name.lower()}", file.getvalue(), samples)


def read_samples(data: bytes) -> np.ndarray:
    """Return the samples of an audio file, (samples, channels), int16."""
    samples: np.ndarray = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)[0]
    return samples


def find_difference(upload: Upload, vocals: np.ndarray, accompaniment: np.ndarray) -> str:
    """Return how the sum of two stems differs from a song; an empty text where it does not."""
    if not vocals.shape == accompaniment.shape == upload.samples.shape:
        return f"stems of {vocals.shape} and {accompaniment.shape} for {upload.samples.shape}"
    error = vocals.astype(np.int32) + accompaniment - upload.samples
    return f"the sum differs by up to {np.abs(error).max()} steps" if error.any() else ""
