"""Releases with an instrumental version, from whose difference the vocals are derived.

Xiao-Ming, "UNet-VocalSeparation-Chainer", 2017: the vocals' magnitude is that by which the original exceeds its
instrumental version, ``max(0, |original| - |instrumental|)``.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from ..audio.formats import SONG_SUFFIXES
from ..errors import AudioError, UsageError
from ..system.folders import files_in
from .clips import Clip, open_clip
from .stems import stem_name

ORIGINAL = ("original", "mixture")
INSTRUMENTAL = ("instrumental", "accompaniment")
# The two versions have different masters: their starts differ by up to this much.
LARGEST_LAG_S = 2.0
COMPARED_S = 30.0
COMPARED_RATE = 4000
N_FFT = 2048


@dataclasses.dataclass(frozen=True)
class ReleasePair:
    """An original recording and its instrumental version.

    Parameters
    ----------
    name : str
    original, instrumental : Clip
    lag : int
        Samples by which the instrumental version is delayed.
    """

    name: str
    original: Clip
    instrumental: Clip
    lag: int = 0

    @property
    def sample_rate(self) -> int:
        """Rate of both versions in Hz."""
        return self.original.sample_rate

    @property
    def samples(self) -> int:
        """Samples that both versions have."""
        return min(self.original.samples, self.instrumental.samples - self.lag)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate

    def stems(self, names: Sequence[str], start: int, samples: int) -> list[np.ndarray]:
        """Read the same excerpt of several stems.

        Parameters
        ----------
        names : sequence of str
            ``vocals`` (derived) or ``accompaniment`` (the rest of the original).
        start, samples : int
            Past the end there is silence.

        Returns
        -------
        list of ndarray (channels, samples), float32
        """
        original = self.original.read(start, samples)
        delayed = start + self.lag
        instrumental = self.instrumental.read(max(0, delayed), samples + min(0, delayed))
        instrumental = np.pad(instrumental, ((0, 0), (samples - instrumental.shape[1], 0)))
        vocals = derived_vocals(original, instrumental)
        stems = {"vocals": vocals, "accompaniment": original - vocals}
        return [stems[name] for name in names]


def derived_vocals(original: np.ndarray, instrumental: np.ndarray) -> np.ndarray:
    """Derive vocals (channels, samples): what the original's magnitude has more than the instrumental's."""
    import torch

    from ..dsp.front_end import FrontEndConfig
    from ..dsp.stft import istft, stft

    front_end = FrontEndConfig(n_fft=N_FFT, hop=N_FFT // 4, bins=N_FFT // 2)
    mixture = stft(torch.from_numpy(original), front_end)
    rest = stft(torch.from_numpy(np.ascontiguousarray(instrumental)), front_end).abs()
    magnitude = mixture.abs()
    mask = (magnitude - rest).clamp(min=0) / magnitude.clamp(min=1e-8)
    vocals: np.ndarray = istft(mixture * mask, front_end, original.shape[1]).numpy()
    return vocals


def find_pairs(
    folder: pathlib.Path, on_unusable: Callable[[str], None] | None = None, opener: Callable[..., Clip] = open_clip
) -> list[ReleasePair]:
    """Find and align the releases below a folder: one folder each, with ``original.*`` and ``instrumental.*``.

    The files may also be called ``mixture.*`` and ``accompaniment.*``. Parameters and errors are those of
    `stems.find_songs`.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", path=folder)
    pairs = []
    for path in sorted({file.parent for file in files_in(folder) if file.suffix.lower() in SONG_SUFFIXES}):
        try:
            pairs.append(_pair(path, folder, opener))
        except (AudioError, UsageError) as error:
            if on_unusable is None:
                raise
            on_unusable(str(error))
    if not pairs:
        raise UsageError("holds no pairs", path=folder, hint="a pair is a folder with original.* and instrumental.*")
    return pairs


def _pair(path: pathlib.Path, root: pathlib.Path, opener: Callable[..., Clip]) -> ReleasePair:
    name = path.relative_to(root).as_posix()
    files = {stem_name(file): file for file in sorted(path.iterdir()) if file.suffix.lower() in SONG_SUFFIXES}
    original = next((files[stem] for stem in ORIGINAL if stem in files), None)
    instrumental = next((files[stem] for stem in INSTRUMENTAL if stem in files), None)
    if original is None or instrumental is None:
        raise UsageError("holds no pair", path=path, hint="a pair is original.* and instrumental.*")
    first, second = opener(original), opener(instrumental)
    if (first.sample_rate, first.channels) != (second.sample_rate, second.channels):
        raise UsageError(
            f"the versions differ: {original.name} has {first.sample_rate} Hz and {first.channels} channels, "
            f"{instrumental.name} {second.sample_rate} Hz and {second.channels}",
            path=name,
            hint="convert them to one rate",
        )
    return ReleasePair(name, first, second, find_lag(first, second))


def find_lag(original: Clip, instrumental: Clip) -> int:
    """Measure the delay of the instrumental in samples, by cross-correlation of excerpts from the middle."""
    import soxr

    rate = original.sample_rate
    length = min(original.samples, instrumental.samples, round(COMPARED_S * rate))
    start = (min(original.samples, instrumental.samples) - length) // 2
    first, second = (clip.read(start, length).mean(axis=0) for clip in (original, instrumental))
    coarse = _lag(
        soxr.resample(first, rate, COMPARED_RATE),
        soxr.resample(second, rate, COMPARED_RATE),
        round(LARGEST_LAG_S * COMPARED_RATE),
    )
    guess = round(coarse * rate / COMPARED_RATE)
    # Refined at the full rate, around the estimate at the low rate.
    near = rate // COMPARED_RATE + 1
    return guess + _lag(np.roll(first, guess), second, 2 * near)


def _lag(first: np.ndarray, second: np.ndarray, largest: int) -> int:
    largest = min(largest, len(first) - 1)
    size = 1 << (len(first) + len(second) - 1).bit_length()
    spectrum = np.conj(np.fft.rfft(first, size)) * np.fft.rfft(second, size)
    correlation = np.fft.irfft(spectrum, size)
    lags = np.concatenate([np.arange(0, largest + 1), np.arange(-largest, 0)])
    return int(lags[np.argmax(correlation[lags])])
