"""`vocalsep train`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..networks.table import ARCHITECTURES
from ..system.interrupts import INTERRUPTED
from . import options, session, settings

if TYPE_CHECKING:
    from ..training.run import FinishedRun


def train(
    musdb: settings.Musdb = None,
    stems: settings.Stems = None,
    voices: settings.Voices = None,
    instrumentals: settings.Instrumentals = None,
    pairs: settings.Pairs = None,
    noise: settings.Noise = None,
    unlabelled: settings.Unlabelled = None,
    valid: settings.Valid = None,
    exclude: settings.Exclude = None,
    out: Annotated[pathlib.Path, typer.Option("-o", "--out", help="Folder of the run.")] = pathlib.Path("run"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, as it was begun.")] = False,
    config: settings.ConfigFile = None,
    batch_size: settings.BatchSize = None,
    steps: settings.Steps = None,
    semi_steps: Annotated[
        int | None, typer.Option("--semi-steps", help="Semi-supervised steps after those. [as many]")
    ] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Length of the run, in passes of the data.")] = None,
    lr: settings.LearningRate = None,
    arch: Annotated[
        str | None, typer.Option("--arch", help=f"Architecture: {', '.join(ARCHITECTURES)}. [unet]")
    ] = None,
    loss: settings.Loss = None,
    init: Annotated[str | None, typer.Option("--init", metavar="MODEL", help="Weights to begin with.")] = None,
    seed: settings.Seed = None,
    precision: settings.Precision = None,
    workers: settings.Workers = 2,
    device: options.DeviceName = options.Device.AUTO,
    devices: Annotated[int, typer.Option("--devices", min=1, help="How many of them, on this machine.")] = 1,
    threads: options.Threads = None,
    cache: settings.CacheFolder = None,
    licence: Annotated[str, typer.Option("--licence", help="Of the exported model.")] = "not stated",
    quiet: options.Quiet = False,
) -> None:
    """Train a model on songs with stems, or on solo voices and instrumentals, or on any mix of them.

    Batches are mixed on the fly. The run's folder holds its settings, log, curve, checkpoints, and model.safetensors
    for `vocalsep split --model`. Stop it at any moment; --resume goes on as if it had not stopped. With --steps too, a
    run that has stopped or ended trains up to that step: from there on its learning rate is that of a run which began
    with so many.
    """
    given = {
        "batch_size": batch_size,
        "steps": steps,
        "epochs": epochs,
        "lr": lr,
        "loss": loss,
        "seed": seed,
        "precision": precision,
    }
    sets = {
        "musdb": musdb,
        "stems": stems,
        "voices": voices,
        "instrumentals": instrumentals,
        "pairs": pairs,
        "noise": noise,
        "unlabelled": unlabelled,
    }
    with session.one_line_errors():
        tables = settings.tables(config, given, sets, valid, exclude)
        own: list[object] = [config, *sets.values(), valid, exclude, arch, init]
        own += [value for name, value in given.items() if name != "steps"]
        if resume and any(setting not in (None, []) for setting in own):
            raise UsageError(
                "--resume goes on with the run's own settings; leave out those that it began with (only --steps and "
                "--semi-steps may change)"
            )
        lengths = (steps, semi_steps) if resume else (None, None)
        if not resume:
            _add_semi_supervised(tables, semi_steps, bool(unlabelled))
        place = (out, cache, resume, init, device.value, devices, workers, licence, *lengths)
        finished = _train(tables, arch, place, threads, quiet)
        _report(finished, quiet)


def _add_semi_supervised(tables: dict[str, Any], steps: int | None, asked_for: bool) -> None:
    """Give the configuration its semi-supervised steps, as many as supervised ones where nothing else is said."""
    from ..training.config import OptimizerConfig

    held = tables.setdefault("adversarial", {})
    if not isinstance(held, dict):
        raise UsageError("adversarial must be a table")
    if steps is not None:
        held["steps"] = steps
    elif asked_for and "steps" not in held:
        held["steps"] = tables["training"].get("steps", OptimizerConfig.steps)


def _train(
    tables: dict[str, Any],
    arch: str | None,
    placed: tuple[Any, ...],
    threads: int | None,
    quiet: bool,
) -> FinishedRun:
    import torch

    from ..model_files import registry
    from ..model_files.checkpoint import read_info
    from ..training.config import TrainingConfig
    from ..training.run import RunLocation, train

    if threads is not None:
        torch.set_num_threads(threads)
    place = RunLocation(*placed)
    if arch is not None:
        tables["model"] = {**tables.get("model", {}), "architecture": arch}
    if place.init is not None and "model" not in tables:
        # A model that is begun with brings its own architecture, unless another is asked for.
        tables["model"] = dataclasses.asdict(read_info(registry.find(place.init)).config)
    config = TrainingConfig.from_dict(tables)
    if not place.resume and not config.data.sets:
        raise UsageError("there is nothing to train on; give --musdb, --stems, or --voices and --instrumentals")
    return train(config, place, lambda line: None if quiet else typer.echo(line, err=True), quiet)


def _report(finished: FinishedRun, quiet: bool) -> None:
    if not finished.main:
        return
    outcome, progress = finished.result, finished.result.progress
    for fault, times in progress.faulty.items():
        typer.echo(f"could not be read ({times} times): {fault}", err=True)
    if outcome.status == "stopped":
        typer.echo(
            f"vocalsep: stopped at step {progress.step}; vocalsep train --resume --out {finished.folder.path} goes on",
            err=True,
        )
        raise typer.Exit(INTERRUPTED)
    if quiet:
        return
    if outcome.steps_per_second:
        typer.echo(
            f"{outcome.steps_per_second:.2f} steps a second; {outcome.data_wait:.1%} of their time waiting for data",
            err=True,
        )
    ended = "; nothing better came for long" if outcome.status == "early" else ""
    best = "" if progress.best is None else f", best {progress.best:.2f} dB vocals uSDR at step {progress.best_step}"
    if progress.supervised is not None:
        typer.echo(
            f"{finished.folder.supervised}: supervised, best {progress.supervised:.2f} dB vocals uSDR at step "
            f"{progress.supervised_step}"
        )
    typer.echo(f"{finished.folder.model}: {progress.step} steps{best}{ended}")
