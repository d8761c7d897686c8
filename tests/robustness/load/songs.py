"""Songs that are told apart by every sample, and checks that stems are theirs."""

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


def new_song(rng: np.random.Generator, number: int) -> Upload:
    """Make a song that no other is like."""
    rate, channels = int(rng.choice(RATES)), int(rng.integers(1, 3))
    length = int(rng.uniform(0.3, 2.0) * rate)
    time = np.arange(length)[:, None] / rate
    tone = np.sin(2 * np.pi * rng.uniform(200, 800, channels) * time)
    samples = (QUIET * (0.7 * tone + 0.3 * rng.uniform(-1, 1, (length, channels)))).astype(np.int16)
    form = str(rng.choice(("WAV", "FLAC")))
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype="PCM_16")
    return Upload(f"{number}.{form.lower()}", file.getvalue(), samples)


def sound(data: bytes) -> np.ndarray:
    """Read (samples, channels), int16."""
    samples: np.ndarray = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)[0]
    return samples


def differs(upload: Upload, vocals: np.ndarray, accompaniment: np.ndarray) -> str:
    """Say how two stems are not those of a song, or nothing."""
    if not vocals.shape == accompaniment.shape == upload.samples.shape:
        return f"stems of {vocals.shape} and {accompaniment.shape} for {upload.samples.shape}"
    wrong = vocals.astype(np.int32) + accompaniment - upload.samples
    return f"the sum is wrong by up to {np.abs(wrong).max()} steps" if wrong.any() else ""
