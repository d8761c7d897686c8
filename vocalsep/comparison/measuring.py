"""What a model costs and how well it separates."""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import time
from collections.abc import Sequence

import numpy as np

from ..datasets.songs import Song
from ..evaluation.rows import Row
from ..evaluation.runner import Plan, evaluate
from ..evaluation.scoring import Settings
from ..evaluation.tables import Summary, summarise
from ..inference.cost import network_flops
from ..model_files.checkpoint import read_info
from ..separator import Separator
from .entries import Entry

SPEED_S = 20.0
SPEED_RATE = 44100
ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Measured:
    """One row of the table.

    Parameters
    ----------
    name, architecture : str
    parameters : int
    flops : float
        Of the network, per second of audio.
    speed : float
        Seconds of stereo audio separated in a second on this machine, whole path without start-up.
    steps, minutes : int, float
        Of its training; 0 for a model that was there already.
    vocals_sdr, accompaniment_sdr : float
        BSS Eval v4 in dB, median over songs of medians over windows.
    vocals_usdr, accompaniment_usdr : float
        uSDR in dB, mean over songs.
    """

    name: str
    architecture: str
    parameters: int
    flops: float
    speed: float
    steps: int
    minutes: float
    vocals_sdr: float
    accompaniment_sdr: float
    vocals_usdr: float
    accompaniment_usdr: float


def scores(entries: Sequence[Entry], songs: Sequence[Song], device: str, folder: pathlib.Path, jobs: int) -> Summary:
    """Score all entries' models on the same songs.

    Parameters
    ----------
    entries : sequence of Entry
    songs : sequence of Song
    device : str
        Where the models run.
    folder : pathlib.Path
        Where finished songs are kept.
    jobs : int
        Processes.
    """
    rows = tuple(Row("model", entry.name, str(entry.model)) for entry in entries)
    plan = Plan(rows, Settings(metrics=("bss", "usdr")), device, folder, pictures=False)
    return summarise(evaluate(songs, plan, jobs, lambda _: None))


def speeds(entries: Sequence[Entry], device: str, threads: int | None) -> list[float]:
    """Return each entry's speed, in seconds of stereo audio per second.

    All take turns, so that a machine that is slow for a while is so for all; each gets the median of its rounds.
    """
    noise = np.random.default_rng(0).standard_normal((2, int(SPEED_S * SPEED_RATE))).astype(np.float32) * 0.1
    separators = [Separator(entry.model, device=device, threads=threads) for entry in entries]
    taken: list[list[float]] = [[] for _ in entries]
    for turn in range(ROUNDS + 1):
        for separator, times in zip(separators, taken, strict=True):
            started = time.perf_counter()
            separator.separate(noise, SPEED_RATE)
            # The first turn pays for memory, not for music.
            if turn:
                times.append(time.perf_counter() - started)
    return [SPEED_S / statistics.median(times) for times in taken]


def measured(entry: Entry, summary: Summary, speed: float, steps: int, seconds: float) -> Measured:
    """Put together a row; `steps` and `seconds` are those of its training."""
    info = read_info(entry.model)
    figures = summary.get(entry.name, {})

    def figure(stem: str, name: str) -> float:
        return figures.get(stem, {}).get(name, float("nan"))

    return Measured(
        name=entry.name,
        architecture=info.config.architecture,
        parameters=info.parameters,
        flops=network_flops(info.config),
        speed=speed,
        steps=steps,
        minutes=seconds / 60,
        vocals_sdr=figure("vocals", "SDR"),
        accompaniment_sdr=figure("accompaniment", "SDR"),
        vocals_usdr=figure("vocals", "uSDR"),
        accompaniment_usdr=figure("accompaniment", "uSDR"),
    )
