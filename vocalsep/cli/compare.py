"""`vocalsep compare`."""

from __future__ import annotations

import os
import pathlib
from typing import Annotated

import typer

from ..errors import UsageError
from ..networks.table import ARCHITECTURES
from ..system.interrupts import INTERRUPTED
from . import options, session, settings

Names = list[str] | None


def compare(
    arch: Annotated[
        Names,
        typer.Option("--arch", help=f"Of {', '.join(ARCHITECTURES)}, or a [models.NAME] of --config. [those]"),
    ] = None,
    model: Annotated[Names, typer.Option("--model", help="A trained model for the table, by name or file.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", callback=options.finite, help="Of training, for each.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Of training, for each, instead.")] = None,
    musdb: settings.Musdb = None,
    stems: settings.Stems = None,
    voices: settings.Voices = None,
    instrumentals: settings.Instrumentals = None,
    pairs: settings.Pairs = None,
    noise: settings.Noise = None,
    valid: settings.Valid = None,
    exclude: settings.Exclude = None,
    out: Annotated[pathlib.Path, typer.Option("-o", "--out", help="Folder of all runs, the table and the picture.")] = (
        pathlib.Path("comparison")
    ),
    config: settings.ConfigFile = None,
    batch_size: settings.BatchSize = None,
    lr: settings.LearningRate = None,
    loss: settings.Loss = None,
    seed: settings.Seed = None,
    precision: settings.Precision = None,
    workers: settings.Workers = 2,
    device: options.DeviceName = options.Device.AUTO,
    threads: options.Threads = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes for scoring. [one for each core]")
    ] = None,
    cache: settings.CacheFolder = None,
    quiet: options.Quiet = False,
) -> None:
    """Train architectures on the same songs for the same time, and put them on one table and one picture.

    Stop it at any moment: the same command goes on. Several with other --arch may work into one folder; one with all
    of them then writes the table.
    """
    given = {"batch_size": batch_size, "lr": lr, "loss": loss, "seed": seed, "precision": precision}
    sets = {
        "musdb": musdb,
        "stems": stems,
        "voices": voices,
        "instrumentals": instrumentals,
        "pairs": pairs,
        "noise": noise,
    }
    with session.one_line_errors():
        tables = settings.tables(config, given, sets, valid, exclude)

        import torch

        from ..comparison.candidates import Candidate, candidates
        from ..comparison.run import Budget, compare
        from ..comparison.table import as_markdown
        from ..model_files import registry
        from ..training.config import TrainingConfig
        from ..training.run import Place

        if threads is not None:
            torch.set_num_threads(threads)
        loaded = [Candidate(registry.find(name).stem, None, registry.find(name)) for name in model or []]
        trained = candidates(tables, arch or [], out) if arch or tables.get("models") or not loaded else []
        # Only the judge's songs count: no network of its own has to fit their frames.
        songs = {name: table for name, table in tables["data"].items() if name != "frames"}
        judge = TrainingConfig.from_dict({"data": songs})
        if not judge.data.sets and not judge.data.valid:
            raise UsageError("there is nothing to train and score on; give --musdb, --stems or --valid")
        budget = Budget(minutes, steps) if trained else Budget(None, 1)
        place = Place(out, cache=cache, device=device.value, workers=workers)
        rows = compare(
            [*trained, *loaded],
            judge,
            budget,
            place,
            threads,
            jobs or os.cpu_count() or 1,
            lambda line: None if quiet else typer.echo(line, err=True),
        )
        if rows is None:
            typer.echo("vocalsep: stopped; the same command goes on", err=True)
            raise typer.Exit(INTERRUPTED)
        typer.echo(as_markdown(rows), nl=False)
