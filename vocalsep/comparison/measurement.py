"""Measure the cost of models and how well they separate."""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import time
from collections.abc import Sequence

import numpy as np

from ..datasets.songs import Song
from ..evaluation.methods import Method
from ..evaluation.runner import EvaluationPlan, evaluate
from ..evaluation.scoring import ScoringSettings
from ..evaluation.tables import Summary, summarize
from ..inference.cost import network_flops
from ..model_files.checkpoint import read_info
from ..separator import Separator
from .candidates import Candidate

SPEED_S = 20.0
SPEED_RATE = 44100
ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class ModelMeasurement:
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


def scores(
    candidates: Sequence[Candidate], songs: Sequence[Song], device: str, folder: pathlib.Path, jobs: int
) -> Summary:
    """Score all candidates' models on the same songs.

    Parameters
    ----------
    candidates : sequence of Candidate
    songs : sequence of Song
    device : str
        Where the models run.
    folder : pathlib.Path
        Where finished songs are kept.
    jobs : int
        Processes.
    """
    rows = tuple(Method("model", candidate.name, str(candidate.model)) for candidate in candidates)
    plan = EvaluationPlan(rows, ScoringSettings(metrics=("bss", "usdr")), device, folder, plots=False)
    return summarize(evaluate(songs, plan, jobs, lambda _: None))


def speeds(candidates: Sequence[Candidate], device: str, threads: int | None) -> list[float]:
    """Return each candidate's speed, in seconds of stereo audio per second.

    The models take turns, so that other load on the machine affects all of them; each speed is a median.
    """
    noise = np.random.default_rng(0).standard_normal((2, int(SPEED_S * SPEED_RATE))).astype(np.float32) * 0.1
    separators = [Separator(candidate.model, device=device, threads=threads) for candidate in candidates]
    taken: list[list[float]] = [[] for _ in candidates]
    for turn in range(ROUNDS + 1):
        for separator, times in zip(separators, taken, strict=True):
            started = time.perf_counter()
            separator.separate(noise, SPEED_RATE)
            # The first turn warms up memory and threads.
            if turn:
                times.append(time.perf_counter() - started)
    return [SPEED_S / statistics.median(times) for times in taken]


def measurement_of(
    candidate: Candidate, summary: Summary, speed: float, steps: int, seconds: float
) -> ModelMeasurement:
    """Put together a row; `steps` and `seconds` are those of its training."""
    info = read_info(candidate.model)
    figures = summary.get(candidate.name, {})

    def figure(stem: str, name: str) -> float:
        return figures.get(stem, {}).get(name, float("nan"))

    return ModelMeasurement(
        name=candidate.name,
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
