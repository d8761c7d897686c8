"""`vocalsep compare`."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Annotated

import typer

from ..errors import UsageError
from ..networks.table import ARCHITECTURES
from ..system.extras import require
from ..system.signals import INTERRUPTED
from .options import finite
from .training_options import TrainingOptions

Names = list[str] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareOptions(TrainingOptions):
    """The options of compare."""

    arch: Annotated[
        Names,
        typer.Option(
            "--arch",
            metavar="NAME",
            help=f"Architectures to train: {', '.join(ARCHITECTURES)}, or a [models.NAME] of --config. [those]",
        ),
    ] = None
    model: Annotated[
        Names, typer.Option("--model", metavar="MODEL", help="A trained model for the table, by name or file.")
    ] = None
    minutes: Annotated[
        float | None, typer.Option("--minutes", callback=finite, help="Minutes of training, for each.")
    ] = None
    steps: Annotated[int | None, typer.Option("--steps", help="Steps of training, for each, instead.")] = None
    out: Annotated[
        pathlib.Path,
        typer.Option("-o", "--out", metavar="FOLDER", help="Folder of all runs, the table and the picture."),
    ] = pathlib.Path("comparison")
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Processes for scoring. [one for each core]")] = None


def compare(options: CompareOptions) -> None:
    """Train architectures on the same songs for the same time, and put them on one table and one picture.

    It can be stopped at any time: the same command continues. Several with other --arch may share one folder; one with
    all of them then writes the table.
    """
    require("train", "training")
    tables = options.tables()

    import torch

    from ..comparison.candidates import Candidate, candidates
    from ..comparison.run import Budget, compare
    from ..comparison.table import as_markdown
    from ..model_files import registry
    from ..training.config import TrainingConfig
    from ..training.run import RunLocation

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    models = [Candidate(registry.find(name).stem, None, registry.find(name)) for name in options.model or []]
    architectures = (
        candidates(tables, options.arch or [], options.out)
        if options.arch or tables.get("models") or not models
        else []
    )
    # Only the songs to score on count here: no network has to fit their frames.
    songs = {name: table for name, table in tables["data"].items() if name != "frames"}
    scoring = TrainingConfig.from_dict({"data": songs})
    if not scoring.data.sets and not scoring.data.valid:
        raise UsageError("there is nothing to train and score on; give --musdb, --stems or --valid")
    budget = Budget(options.minutes, options.steps) if architectures else Budget(None, 1)
    location = RunLocation(options.out, cache=options.cache, device=options.device.value, workers=options.workers)
    rows = compare(
        [*architectures, *models],
        scoring,
        budget,
        location,
        options.threads,
        options.jobs or os.cpu_count() or 1,
        lambda line: None if options.quiet else typer.echo(line, err=True),
    )
    if rows is None:
        typer.echo("vocalsep: stopped; the same command continues", err=True)
        raise typer.Exit(INTERRUPTED)
    typer.echo(as_markdown(rows), nl=False)
