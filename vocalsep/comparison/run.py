"""A whole comparison: train what is not trained yet, measure all, write the table."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..datasets.cache import Cache
from ..errors import UsageError
from ..evaluation.results import plain
from ..system.atomic_files import write_text
from ..system.plotting import save
from ..training.config import TrainingConfig, read_toml
from ..training.data import gather
from ..training.folder import RunFolder
from ..training.run import RunLocation, train
from .budget import fit_budget, with_steps
from .candidates import Candidate
from .measurement import ModelMeasurement, measurement_of, scores, speeds
from .table import as_csv, as_figure, as_markdown

SCORES = "scores"


@dataclasses.dataclass(frozen=True)
class Budget:
    """How long each candidate is trained: so many minutes, or so many steps."""

    minutes: float | None
    steps: int | None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise UsageError("give either minutes or steps, so that all train equally long")
        for name, value in (("minutes", self.minutes), ("steps", self.steps)):
            if value is not None and not value > 0:
                raise UsageError(f"{name} must be above 0, not {value}")


def compare(
    candidates: Sequence[Candidate],
    scoring: TrainingConfig,
    budget: Budget,
    place: RunLocation,
    threads: int | None,
    jobs: int,
    log: Callable[[str], None],
) -> list[ModelMeasurement] | None:
    """Train and measure.

    Finished work is not repeated: a finished run is used as it is, a stopped one is resumed, and scores of
    unchanged models are kept.

    Parameters
    ----------
    candidates : sequence of Candidate
    scoring : TrainingConfig
        Its validation songs are what all are scored on.
    budget : Budget
    place : RunLocation
        Of the comparison: `out` is its folder.
    threads : int, optional
        CPU threads, for measuring the speed.
    jobs : int
        Processes for scoring.
    log : callable
        Called with each line of progress.

    Returns
    -------
    list of ModelMeasurement, or None
        None if a signal stopped it; the same call continues it.

    Raises
    ------
    VocalsepError
        As `training.run.train` and `evaluation.runner.evaluate`.
    """
    cache = place.cache or place.out / "stem-cache"
    for candidate in candidates:
        if candidate.config is not None:
            log(f"== {candidate.name}")
            own = dataclasses.replace(place, out=candidate.run, cache=cache)
            if not _trained(candidate.config, budget, own, log):
                return None
    songs = gather(scoring, Cache(cache), [])[1].songs
    if not songs:
        raise UsageError("there are no songs to score on", hint="add songs with stems to the data")
    log(f"scoring {len(candidates)} models on {len(songs)} songs")
    summary = scores(candidates, songs, place.device, place.out / SCORES, jobs)
    rates = speeds(candidates, place.device, threads)
    rows = [
        measurement_of(candidate, summary, rate, *_spent(candidate))
        for candidate, rate in zip(candidates, rates, strict=True)
    ]
    write_text(place.out / "table.md", as_markdown(rows))
    write_text(place.out / "table.csv", as_csv(rows))
    results = {"songs": [song.name for song in songs], "rows": [dataclasses.asdict(row) for row in rows]}
    write_text(place.out / "table.json", json.dumps(plain(results), indent=1, ensure_ascii=False) + "\n")
    save(as_figure(rows), place.out / "table.png", overwrite=True)
    return rows


def _trained(config: TrainingConfig, budget: Budget, place: RunLocation, log: Callable[[str], None]) -> bool:
    """Train one candidate, or resume its training; return whether it has finished."""
    folder = RunFolder(place.out)
    if folder.config.exists():
        existing = TrainingConfig.from_dict(read_toml(folder.config))
        _check_same(config, existing, place.out)
        place = dataclasses.replace(place, resume=True)
    elif budget.steps is not None:
        config = with_steps(config, budget.steps)
    else:
        config = fit_budget(config, budget.minutes or 0.0, place, log)
    finished = train(config, place, log)
    return finished.result.status != "stopped"


def _check_same(wanted: TrainingConfig, existing: TrainingConfig, out: pathlib.Path) -> None:
    """Raise UsageError if an existing run was started with other settings."""
    for name, first, second in _settings(wanted, existing):
        if first != second:
            raise UsageError(
                f"was trained with another {name}", path=out, hint="choose another folder, or remove this one"
            )


def _settings(wanted: TrainingConfig, existing: TrainingConfig) -> list[tuple[str, Any, Any]]:
    first, second = (
        (each.training.batch_size, each.training.lr, each.training.loss, each.training.seed)
        for each in (wanted, existing)
    )
    return [
        ("model", wanted.model, existing.model),
        ("set of data", wanted.data, existing.data),
        ("mixing", wanted.mixing, existing.mixing),
        ("batch size, learning rate, loss or seed", first, second),
    ]


def _spent(candidate: Candidate) -> tuple[int, float]:
    """Return steps and seconds of an candidate's training."""
    rows: Sequence[Mapping[str, str]] = RunFolder(candidate.run).rows() if candidate.config is not None else []
    return (int(rows[-1]["step"]), float(rows[-1]["seconds"])) if rows else (0, 0.0)
