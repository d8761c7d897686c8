"""Separation methods to score: the mixture itself, oracles, models, and estimates of other programs."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from ..audio.resample import Resampler
from ..datasets.clips import open_clip
from ..datasets.songs import PADDING_S, Song
from ..errors import AudioError
from ..model_files import registry
from .estimates import find_estimates, find_stem

if TYPE_CHECKING:
    from ..separator import Separator

StemPair = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class ReferenceTrack:
    """A track to score: true stems and mixture, (channels, samples) each, at `sample_rate` Hz."""

    name: str
    sample_rate: int
    vocals: np.ndarray
    accompaniment: np.ndarray
    mixture: np.ndarray


@dataclasses.dataclass(frozen=True)
class Method:
    """A separation method, one row of the results.

    Parameters
    ----------
    kind : str
        ``mixture``, ``oracle``, ``model`` or ``estimates``.
    name : str
        How the table calls it.
    source : str
        The oracle's name, the model, or the folder of estimates.
    precision : str
        Of a model's products, see `Separator`.
    """

    kind: str
    name: str
    source: str = ""
    precision: str = "float32"

    @property
    def identity(self) -> str:
        """Changes whenever the row's results would."""
        if self.kind != "model":
            return self.source
        checksum = registry.checksum(registry.find(self.source))
        return checksum if self.precision == "float32" else f"{checksum} {self.precision}"

    def separate(self, track: ReferenceTrack, device: str, threads: int) -> StemPair:
        """Return vocals and accompaniment of a track, of its own shape; models run on a device, by so many threads.

        Raises
        ------
        AudioError
            The estimates of a track are missing, damaged, or of another length or rate.
        ModelError, UsageError
            The model is broken, or cannot be had in this precision.
        """
        if self.kind == "mixture":
            return track.mixture, track.mixture
        if self.kind == "estimates":
            return _estimates(pathlib.Path(self.source), track)
        if self.kind == "oracle":
            from .oracles import oracle_vocals

            vocals = oracle_vocals(self.source, track.vocals, track.accompaniment, track.mixture)
        else:
            separator = _separator(self.source, device, self.precision, threads)
            vocals = separator.separate(track.mixture, track.sample_rate).vocals
        return vocals, track.mixture - vocals


@functools.cache
def _separator(model: str, device: str, precision: str, threads: int) -> Separator:
    # A worker scores many tracks with the same model.
    from ..separator import Separator

    return Separator(model, device=device, precision=precision, threads=threads)


def _estimates(folder: pathlib.Path, track: ReferenceTrack) -> StemPair:
    home = find_estimates(folder, track.name)
    vocals = None if home is None else _estimate(home, "vocals", track)
    if home is None or vocals is None:
        raise AudioError(f"{track.name}: {folder} holds no estimate of it (a folder of that name with vocals.*)")
    rest = _estimate(home, "accompaniment", track)
    return vocals, track.mixture - vocals if rest is None else rest


def _estimate(home: pathlib.Path, stem: str, track: ReferenceTrack) -> np.ndarray | None:
    path = find_stem(home, stem)
    if path is None:
        return None
    clip = open_clip(path)
    samples = track.mixture.shape[1]
    length = round(clip.samples * track.sample_rate / clip.sample_rate)
    if abs(length - samples) > PADDING_S * track.sample_rate:
        raise AudioError(
            f"has {length} samples, the track {samples}", path=path, hint="an estimate is as long as its track"
        )
    channels = track.mixture.shape[0]
    if clip.channels not in (1, channels):
        raise AudioError(f"has {clip.channels} channels, the track {channels}", path=path, hint="write it with as many")
    if clip.sample_rate == track.sample_rate:
        return np.broadcast_to(clip.read(0, samples), track.mixture.shape)
    # Opus files always have 48000 Hz.
    resampler = Resampler(clip.channels, clip.sample_rate, track.sample_rate)
    resampled = np.concatenate([resampler.push(clip.read()), resampler.flush()], axis=1)[:, :samples]
    return np.broadcast_to(np.pad(resampled, ((0, 0), (0, samples - resampled.shape[1]))), track.mixture.shape)


def load_track(song: Song, snr_db: float | None) -> ReferenceTrack:
    """Read a song whole.

    Parameters
    ----------
    song : Song
    snr_db : float, optional
        Mix the stems again, with the vocals at this level over the accompaniment in dB, as papers do with MIR-1K.

    Raises
    ------
    AudioError
        A stem is damaged.
    """
    stems = [song.read(stem) for stem in ("vocals", "accompaniment", "mixture")]
    shortest = min(stem.shape[1] for stem in stems)
    vocals, accompaniment, mixture = (stem[:, :shortest] for stem in stems)
    if snr_db is None:
        return ReferenceTrack(song.name, song.sample_rate, vocals, accompaniment, mixture)
    own, other = (float(np.sqrt(np.square(stem, dtype=np.float64).mean())) for stem in (vocals, accompaniment))
    if own > 0 and other > 0:
        vocals = vocals * np.float32(other / own * 10 ** (snr_db / 20))
    return ReferenceTrack(song.name, song.sample_rate, vocals, accompaniment, vocals + accompaniment)
