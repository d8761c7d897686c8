"""Batches of examples, mixed by worker processes during training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..datasets.pools import Pools
from ..mixing.mixer import Example, Mixer, UnpairedExample
from .config import TrainingConfig

# Batches that each worker prepares in advance.
PREFETCHED_BATCHES = 2

AnyExample = TypeVar("AnyExample", Example, UnpairedExample)


@dataclasses.dataclass(frozen=True)
class Batch:
    """Examples of one step.

    Parameters
    ----------
    vocals, mixture : Tensor (batch, channels, samples)
    band : Tensor (batch,)
        Frequency in Hz up to which the vocals are known.
    faults : tuple of str
        Errors of excerpts that could not be read.
    tries : int
        Number of excerpts that were read or tried.
    """

    vocals: Tensor
    mixture: Tensor
    band: Tensor
    faults: tuple[str, ...]
    tries: int

    def pin_memory(self) -> Batch:
        """Return the batch in pinned memory, from which copies to a GPU are faster."""
        pinned = {name: getattr(self, name).pin_memory() for name in ("vocals", "mixture", "band")}
        return dataclasses.replace(self, **pinned)


@dataclasses.dataclass(frozen=True)
class UnpairedBatch:
    """Examples of one step of semi-supervised training: mixtures without sources, sources without mixtures.

    Parameters
    ----------
    mixture, vocals, accompaniment : Tensor (batch, channels, samples)
    faults : tuple of str
        Errors of excerpts that could not be read.
    tries : int
        Number of excerpts that were read or tried.
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


class _ExampleDataset(Dataset[AnyExample]):
    """All examples of a run, each mixed when it is requested.

    An example depends on the seed and its number alone. So a resumed run gets the same examples, and several processes
    can divide them without communication.
    """

    def __init__(self, pools: Pools, config: TrainingConfig):
        front_end = config.model.front_end
        self.mixer = Mixer(pools, config.mixing, front_end.sample_rate, config.model.network.channels)
        self.samples = config.example_samples
        self.seed = config.training.seed


class Examples(_ExampleDataset[Example]):
    """Mixtures with their vocals."""

    def __getitem__(self, number: int) -> Example:
        return self.mixer.example(np.random.default_rng((self.seed, number)), self.samples)


class UnpairedExamples(_ExampleDataset[UnpairedExample]):
    """Examples for semi-supervised training."""

    def __getitem__(self, number: int) -> UnpairedExample:
        # The third number makes their random numbers differ from those of the paired examples.
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
        Rank of this process, and number of processes.
    workers : int
        Worker processes that mix examples; 0 mixes them in this process.
    pin : bool
        Whether the batches go to a GPU.

    Raises
    ------
    AudioError
        Far too much of the data cannot be read.
    """
    local = config.training.batch_size // world
    numbers = _BatchIndices(first_step, config.steps, config.training.batch_size, rank * local, local)
    yield from _loader(Examples(pools, config), numbers, workers, _collate, pin)


def first_mixtures(pools: Pools, config: TrainingConfig, examples: int, rank: int, world: int) -> Iterator[Tensor]:
    """Yield this process's share of the mixtures (batch, channels, samples) of the run's first batches.

    Parameters
    ----------
    pools : Pools
    config : TrainingConfig
    examples : int
        Smallest number of examples, over all processes.
    rank, world : int
        Rank of this process, and number of processes.

    Raises
    ------
    AudioError
        Far too much of the data cannot be read.
    """
    batch = config.training.batch_size
    dataset, local = Examples(pools, config), batch // world
    for numbers in _BatchIndices(0, -(-examples // batch), batch, rank * local, local):
        yield torch.from_numpy(np.stack([dataset[number].mixture for number in numbers]))


def unpaired_batches(
    pools: Pools, config: TrainingConfig, first_step: int, workers: int
) -> Generator[UnpairedBatch, None, None]:
    """Yield a batch for each step of the semi-supervised training from `first_step` to the last.

    It has as many examples as a paired batch for each step of the critics. Parameters and errors are those of
    `batches`.
    """
    count = config.training.batch_size * config.adversarial.critic_steps
    numbers = _BatchIndices(first_step, config.steps, count, 0, count)
    yield from _loader(UnpairedExamples(pools, config), numbers, workers, _collate_unpaired, pin=False)


def _loader(
    examples: Dataset[Any], numbers: _BatchIndices, workers: int, collate: Callable[[list[Any]], Any], pin: bool
) -> DataLoader[Any]:
    return DataLoader(
        examples,
        batch_sampler=numbers,
        num_workers=workers,
        collate_fn=collate,
        prefetch_factor=PREFETCHED_BATCHES if workers else None,
        # Forked workers would inherit locks of torch's threads.
        multiprocessing_context="spawn" if workers else None,
        pin_memory=pin,
    )


class _BatchIndices:
    """Batch sampler: the numbers of the examples of each batch."""

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


def _collate_unpaired(examples: list[UnpairedExample]) -> UnpairedBatch:
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
