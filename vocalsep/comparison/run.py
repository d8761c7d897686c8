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
from .budget import with_steps, within
from .entries import Entry
from .measuring import Measured, measured, scores, speeds
from .table import as_csv, as_markdown, as_picture

SCORES = "scores"


@dataclasses.dataclass(frozen=True)
class Budget:
    """How long each entry is trained: so many minutes, or so many steps."""

    minutes: float | None
    steps: int | None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise UsageError("give either --minutes or --steps, so that all train equally long")
        for name, value in (("--minutes", self.minutes), ("--steps", self.steps)):
            if value is not None and not value > 0:
                raise UsageError(f"{name} must be above 0")


def compare(
    entries: Sequence[Entry],
    judge: TrainingConfig,
    budget: Budget,
    place: RunLocation,
    threads: int | None,
    jobs: int,
    say: Callable[[str], None],
) -> list[Measured] | None:
    """Train and measure.

    What is there already is not done again: a run that is finished is taken as it is, one that was stopped goes on,
    and scores of unchanged models are kept.

    Parameters
    ----------
    entries : sequence of Entry
    judge : TrainingConfig
        Its validation songs are what all are scored on.
    budget : Budget
    place : RunLocation
        Of the comparison: `out` is its folder.
    threads : int, optional
        CPU threads, for measuring the speed.
    jobs : int
        Processes for scoring.
    say : callable
        Told, line by line, what is going on.

    Returns
    -------
    list of Measured, or None
        None where a signal stopped it; the same call goes on.

    Raises
    ------
    VocalsepError
        As `training.run.train` and `evaluation.runner.evaluate`.
    """
    cache = place.cache or place.out / "stem-cache"
    for entry in entries:
        if entry.config is not None:
            say(f"== {entry.name}")
            own = dataclasses.replace(place, out=entry.run, cache=cache)
            if not _trained(entry.config, budget, own, say):
                return None
    songs = gather(judge, Cache(cache), [])[1].songs
    if not songs:
        raise UsageError("there are no songs with stems to score on; give --musdb, --stems or --valid")
    say(f"scoring {len(entries)} models on {len(songs)} songs")
    summary = scores(entries, songs, place.device, place.out / SCORES, jobs)
    rates = speeds(entries, place.device, threads)
    rows = [measured(entry, summary, rate, *_spent(entry)) for entry, rate in zip(entries, rates, strict=True)]
    write_text(place.out / "table.md", as_markdown(rows))
    write_text(place.out / "table.csv", as_csv(rows))
    said = {"songs": [song.name for song in songs], "rows": [dataclasses.asdict(row) for row in rows]}
    write_text(place.out / "table.json", json.dumps(plain(said), indent=1, ensure_ascii=False) + "\n")
    save(as_picture(rows), place.out / "table.png", overwrite=True)
    return rows


def _trained(config: TrainingConfig, budget: Budget, place: RunLocation, say: Callable[[str], None]) -> bool:
    """Train one entry to its end, or go on with it; return whether it came to its end."""
    folder = RunFolder(place.out)
    if folder.config.exists():
        held = TrainingConfig.from_dict(read_toml(folder.config))
        _check_same(config, held, place.out)
        place = dataclasses.replace(place, resume=True)
    elif budget.steps is not None:
        config = with_steps(config, budget.steps)
    else:
        config = within(config, budget.minutes or 0.0, place, say)
    finished = train(config, place, say)
    return finished.result.status != "stopped"


def _check_same(wanted: TrainingConfig, held: TrainingConfig, out: pathlib.Path) -> None:
    """Raise UsageError where a run that is there was begun with other settings than are asked for now."""
    for name, first, second in _settings(wanted, held):
        if first != second:
            raise UsageError(f"{out} was begun with another {name}; choose another --out, or remove it")


def _settings(wanted: TrainingConfig, held: TrainingConfig) -> list[tuple[str, Any, Any]]:
    first, second = (
        (each.training.batch_size, each.training.lr, each.training.loss, each.training.seed) for each in (wanted, held)
    )
    return [
        ("model", wanted.model, held.model),
        ("set of data", wanted.data, held.data),
        ("mixing", wanted.mixing, held.mixing),
        ("batch size, learning rate, loss or seed", first, second),
    ]


def _spent(entry: Entry) -> tuple[int, float]:
    """Return steps and seconds of an entry's training."""
    rows: Sequence[Mapping[str, str]] = RunFolder(entry.run).rows() if entry.config is not None else []
    return (int(rows[-1]["step"]), float(rows[-1]["seconds"])) if rows else (0, 0.0)
