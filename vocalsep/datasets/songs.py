"""A song with its stems on disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ..dsp.exact_sum import STEMS
from ..errors import AudioError, UsageError
from .clips import Clip

READABLE_STEMS = (*STEMS, "mixture")
# Lossy encoders pad each stem of a song differently, by a few hundred samples.
PADDING_S = 0.1


@dataclasses.dataclass(frozen=True)
class Song:
    """Description of a song of whose stems excerpts can be read, without its samples; it can be pickled.

    Parameters
    ----------
    name : str
    vocals, accompaniment : tuple of Clip
        Clips whose sum is the stem.
    mixture : Clip, optional
        The mixture's own file; without it, the mixture is the sum of the stems.

    Raises
    ------
    UsageError
        The stems differ in rate, in length, or in channels other than mono beside stereo.
    """

    name: str
    vocals: tuple[Clip, ...]
    accompaniment: tuple[Clip, ...]
    mixture: Clip | None = None

    def __post_init__(self) -> None:
        first = self.clips[0]
        for clip in self.clips:
            if clip.sample_rate != first.sample_rate:
                raise UsageError(
                    f"the stems differ in rate: {_file_name(first)} has {first.sample_rate} Hz, "
                    f"{_file_name(clip)} {clip.sample_rate} Hz",
                    path=self.name,
                    hint="convert them to one rate",
                )
            if abs(clip.samples - first.samples) > PADDING_S * first.sample_rate:
                raise UsageError(
                    f"the stems differ in length: {_file_name(first)} has {first.samples} samples, "
                    f"{_file_name(clip)} {clip.samples}",
                    path=self.name,
                    hint="stems of a song begin and end together",
                )
            if clip.channels not in (1, self.channels):
                raise UsageError(
                    f"{_file_name(clip)} has {clip.channels} channels where others have {self.channels}",
                    path=self.name,
                    hint="convert them to one number of channels",
                )

    @property
    def clips(self) -> tuple[Clip, ...]:
        """All sounds of the song, the mixture's last."""
        return (*self.vocals, *self.accompaniment, *([self.mixture] if self.mixture else []))

    @property
    def sample_rate(self) -> int:
        """Rate of all stems in Hz."""
        return self.clips[0].sample_rate

    @property
    def channels(self) -> int:
        """Largest number of channels of a stem; mono stems are duplicated."""
        return max(clip.channels for clip in self.clips)

    @property
    def samples(self) -> int:
        """Samples of the shortest stem."""
        return min(clip.samples for clip in self.clips)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate

    def read(self, stem: str, start: int = 0, samples: int | None = None) -> np.ndarray:
        """Read an excerpt of a stem.

        Parameters
        ----------
        stem : str
            ``vocals``, ``accompaniment`` or ``mixture``.
        start, samples : int
            First sample and number of samples; by default all. Past the end there is silence.

        Returns
        -------
        ndarray (channels, samples), float32

        Raises
        ------
        AudioError
            A file is missing or damaged.
        """
        if stem not in READABLE_STEMS:
            raise AudioError(f"unknown stem {stem!r}; a song has {', '.join(READABLE_STEMS)}")
        if stem == "mixture":
            clips = (self.mixture,) if self.mixture else (*self.vocals, *self.accompaniment)
        else:
            clips = self.vocals if stem == "vocals" else self.accompaniment
        parts = [clip.read(start, samples) for clip in clips]
        total = np.zeros((self.channels, min(part.shape[1] for part in parts)), np.float32)
        for part in parts:
            total += part[:, : total.shape[1]]
        return total

    def stems(self, names: Sequence[str], start: int, samples: int) -> list[np.ndarray]:
        """Read the same excerpt of several stems, see `read`."""
        return [self.read(name, start, samples) for name in names]


def _file_name(clip: Clip) -> str:
    return clip.user_path.name + (f" (stream {clip.stream})" if clip.stream else "")
