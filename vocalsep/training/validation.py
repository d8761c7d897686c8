"""Validation on the same excerpts every time, separated as in `vocalsep split`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import soxr
import torch

from ..datasets.pools import Item, Pools
from ..datasets.songs import Song
from ..dsp.front_end import FrontEndConfig
from ..dsp.metrics import usdr
from ..inference.streams import Streams
from ..inference.torch_backend import torch_backend
from ..mixing.config import MixingConfig
from ..mixing.mixer import Mixer
from ..model_files.config import ModelConfig
from ..networks.network import Network
from ..networks.shared import processes
from .config import DataConfig

# From a long song, this many excerpts are considered; the one with the loudest vocals is used.
CANDIDATES = 8


@dataclasses.dataclass(frozen=True)
class Scores:
    """Means over all excerpts in dB: uSDR of the vocals, of the accompaniment, and of the mixture as vocals."""

    vocals: float
    accompaniment: float
    mixture: float


class Validation:
    """A fixed set of excerpts with their stems.

    Parameters
    ----------
    songs : sequence of Song or ReleasePair
        Held-out songs.
    held_out_sources : Pools or None
        Held-out voices and instrumentals, which are mixed at 0 dB if there are no songs.
    data : DataConfig
    model : ModelConfig
    """

    def __init__(self, songs: Sequence[Item], held_out_sources: Pools | None, data: DataConfig, model: ModelConfig):
        self.front_end = model.front_end
        self.channels = model.network.channels
        self.samples = round(data.valid_seconds * self.front_end.sample_rate)
        self.songs = _spread([song for song in songs if isinstance(song, Song)], data.valid_songs)
        self.starts = [self._start(song) for song in self.songs]
        self.mixer: Mixer | None = None
        self.count = len(self.songs)
        if not self.songs and held_out_sources is not None:
            plain = dataclasses.replace(MixingConfig.plain(), balance_db=(0.0, 0.0))
            self.mixer = Mixer(held_out_sources, plain, self.front_end.sample_rate, self.channels)
            self.count = data.valid_songs

    def excerpt(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return vocals and mixture (channels, samples) of one excerpt, at the model's rate."""
        if self.mixer is not None:
            example = self.mixer.example(np.random.default_rng(number), self.samples)
            return example.vocals, example.mixture
        song, start = self.songs[number], self.starts[number]
        length = min(self._length(song), song.samples)
        vocals, accompaniment = song.stems(("vocals", "accompaniment"), start, length)
        if song.sample_rate != self.front_end.sample_rate:
            vocals, accompaniment = (
                soxr.resample(stem.T, song.sample_rate, self.front_end.sample_rate).T
                for stem in (vocals, accompaniment)
            )
        return vocals, vocals + accompaniment

    def run(self, network: Network, device: torch.device) -> Scores:
        """Separate all excerpts, divided over the processes, and return the mean scores."""
        rank, world = processes()
        network = network.float().eval()
        sums = torch.zeros(4, dtype=torch.float64)
        for number in range(rank, self.count, world):
            vocals, mixture = self.excerpt(number)
            estimate = separate(network, self.front_end, mixture, device)
            scores = (usdr(vocals, estimate), usdr(mixture - vocals, mixture - estimate), usdr(vocals, mixture))
            if np.isfinite(scores).all():
                sums += torch.tensor([*scores, 1.0], dtype=torch.float64)
        if world > 1:
            sums = sums.to(device, torch.float32)
            torch.distributed.all_reduce(sums)
        vocals_db, accompaniment_db, mixture_db = (sums[:3] / sums[3].clamp(min=1)).tolist()
        return Scores(vocals_db, accompaniment_db, mixture_db)

    def _length(self, song: Song) -> int:
        return round(self.samples * song.sample_rate / self.front_end.sample_rate)

    def _start(self, song: Song) -> int:
        room = song.samples - self._length(song)
        if room <= 0:
            return 0
        starts = [round(room * index / (CANDIDATES - 1)) for index in range(CANDIDATES)]
        return max(starts, key=lambda start: float(np.square(song.read("vocals", start, self._length(song))).sum()))


def separate(network: Network, front_end: FrontEndConfig, mixture: np.ndarray, device: torch.device) -> np.ndarray:
    """Return the vocals (channels, samples) of a mixture of one or two channels at the model's rate."""
    stream = Streams(torch_backend(network, front_end.bins, device), front_end.sample_rate, front_end).open(
        mixture.shape[0]
    )
    return np.concatenate([stream.push(mixture), stream.flush()], axis=1)


def _spread(songs: Sequence[Song], most: int) -> list[Song]:
    """Choose at most `most` songs, evenly over their order."""
    if len(songs) <= most:
        return list(songs)
    return [songs[index * len(songs) // most] for index in range(most)]
