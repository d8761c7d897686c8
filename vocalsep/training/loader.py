"""Batches, made by worker processes while the network learns from the last ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..datasets.pools import Pools
from ..mixing.mixer import Example, Mixer, Unpaired
from .config import TrainingConfig

# Batches that wait ready for each worker: more only takes memory.
AHEAD = 2

Made = TypeVar("Made", Example, Unpaired)


@dataclasses.dataclass(frozen=True)
class Batch:
    """Examples of one step.

    Parameters
    ----------
    vocals, mixture : Tensor (batch, channels, samples)
    band : Tensor (batch,)
        Frequency in Hz up to which the vocals are true.
    faults : tuple of str
        What could not be read.
    tries : int
        Excerpts that were read or tried.
    """

    vocals: Tensor
    mixture: Tensor
    band: Tensor
    faults: tuple[str, ...]
    tries: int

    def pin_memory(self) -> Batch:
        """Return the batch in memory from which it is copied to a GPU faster."""
        pinned = {name: getattr(self, name).pin_memory() for name in ("vocals", "mixture", "band")}
        return dataclasses.replace(self, **pinned)


@dataclasses.dataclass(frozen=True)
class UnpairedBatch:
    """Examples of one step of semi-supervised training: mixtures without sources, sources without mixtures.

    Parameters
    ----------
    mixture, vocals, accompaniment : Tensor (batch, channels, samples)
    faults : tuple of str
        What could not be read.
    tries : int
        Excerpts that were read or tried.
    """

    mixture: Tensor
    vocals: Tensor
    accompaniment: Tensor
    faults: tuple[str, ...]
    tries: int

    def to(self, device: torch.device) -> UnpairedBatch:
        """Return the batch on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("mixture", "vocals", "accompaniment")}
        return dataclasses.replace(self, **moved)


class _Made(Dataset[Made]):
    """All examples of a run, each made when it is asked for.

    Example `number` depends on the seed and its number alone, so a resumed run meets the examples that it would have
    met, and several processes share them out without a word.
    """

    def __init__(self, pools: Pools, config: TrainingConfig):
        front_end = config.model.front_end
        self.mixer = Mixer(pools, config.mixing, front_end.sample_rate, config.model.network.channels)
        self.samples = config.example_samples
        self.seed = config.training.seed


class Examples(_Made[Example]):
    """Examples with their vocals."""

    def __getitem__(self, number: int) -> Example:
        return self.mixer.example(np.random.default_rng((self.seed, number)), self.samples)


class UnpairedExamples(_Made[Unpaired]):
    """Examples for semi-supervised training."""

    def __getitem__(self, number: int) -> Unpaired:
        # The third number keeps these examples apart from the paired ones.
        return self.mixer.unpaired(np.random.default_rng((self.seed, number, 1)), self.samples)


def batches(
    pools: Pools, config: TrainingConfig, first_step: int, rank: int, world: int, workers: int, pin: bool
) -> Generator[Batch, None, None]:
    """Yield this process's share of the batch of each step from `first_step` to the last.

    Parameters
    ----------
    pools : Pools
    config : TrainingConfig
    first_step : int
    rank, world : int
        This process's number, and how many there are.
    workers : int
        Processes that make examples; 0 makes them here.
    pin : bool
        Whether the batches go to a GPU.

    Raises
    ------
    AudioError
        Far too much of the data cannot be read.
    """
    local = config.training.batch_size // world
    numbers = _Numbers(first_step, config.steps, config.training.batch_size, rank * local, local)
    yield from _loader(Examples(pools, config), numbers, workers, _collate, pin)


def first_mixtures(pools: Pools, config: TrainingConfig, examples: int, rank: int, world: int) -> Iterator[Tensor]:
    """Yield this process's share of the mixtures (batch, channels, samples) of the run's first batches.

    Parameters
    ----------
    pools : Pools
    config : TrainingConfig
    examples : int
        How many at least, over all processes.
    rank, world : int
        This process's number, and how many there are.

    Raises
    ------
    AudioError
        Far too much of the data cannot be read.
    """
    batch = config.training.batch_size
    made, local = Examples(pools, config), batch // world
    for numbers in _Numbers(0, -(-examples // batch), batch, rank * local, local):
        yield torch.from_numpy(np.stack([made[number].mixture for number in numbers]))


def unpaired_batches(
    pools: Pools, config: TrainingConfig, first_step: int, workers: int
) -> Generator[UnpairedBatch, None, None]:
    """Yield a batch for each step of the semi-supervised training from `first_step` to the last.

    It holds as many examples as the batches, for each step of the critics. Parameters and errors are those of
    `batches`.
    """
    count = config.training.batch_size * config.adversarial.critic_steps
    numbers = _Numbers(first_step, config.steps, count, 0, count)
    yield from _loader(UnpairedExamples(pools, config), numbers, workers, _collate_unpaired, pin=False)


def _loader(
    examples: Dataset[Any], numbers: _Numbers, workers: int, collate: Callable[[list[Any]], Any], pin: bool
) -> DataLoader[Any]:
    return DataLoader(
        examples,
        batch_sampler=numbers,
        num_workers=workers,
        collate_fn=collate,
        prefetch_factor=AHEAD if workers else None,
        # A forked worker would inherit the locks of torch's threads.
        multiprocessing_context="spawn" if workers else None,
        pin_memory=pin,
    )


class _Numbers:
    """The numbers of the examples of each batch."""

    def __init__(self, first: int, last: int, whole: int, offset: int, local: int):
        self.steps = range(first, last)
        self.whole, self.offset, self.local = whole, offset, local

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            start = step * self.whole + self.offset
            yield list(range(start, start + self.local))


def _collate(examples: list[Example]) -> Batch:
    return Batch(
        vocals=torch.from_numpy(np.stack([example.vocals for example in examples])),
        mixture=torch.from_numpy(np.stack([example.mixture for example in examples])),
        band=torch.tensor([example.band for example in examples], dtype=torch.float32),
        faults=tuple(fault for example in examples for fault in example.faults),
        tries=sum(example.tries for example in examples),
    )


def _collate_unpaired(examples: list[Unpaired]) -> UnpairedBatch:
    mixture, vocals, accompaniment = (
        torch.from_numpy(np.stack([getattr(example, name) for example in examples]))
        for name in ("mixture", "vocals", "accompaniment")
    )
    return UnpairedBatch(
        mixture,
        vocals,
        accompaniment,
        faults=tuple(fault for example in examples for fault in example.faults),
        tries=sum(example.tries for example in examples),
    )
