"""`vocalsep train`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..networks.table import ARCHITECTURES
from ..system.extras import require
from ..system.signals import INTERRUPTED
from .training_options import Folders, TrainingOptions, folder_option

if TYPE_CHECKING:
    from ..training.run import FinishedRun


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions(TrainingOptions):
    """The options of train."""

    out: Annotated[pathlib.Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder of the run.")] = (
        pathlib.Path("run")
    )
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out, with the settings that it started with.")
    ] = False
    unlabelled: Annotated[
        Folders,
        folder_option("--unlabelled", "Songs without stems, for semi-supervised training after the supervised one."),
    ] = None
    steps: Annotated[int | None, typer.Option("--steps", help="Length of the run. [20000]")] = None
    semi_steps: Annotated[
        int | None, typer.Option("--semi-steps", help="Semi-supervised steps after those. [as many]")
    ] = None
    epochs: Annotated[float | None, typer.Option("--epochs", help="Length of the run, in passes of the data.")] = None
    arch: Annotated[
        str | None,
        typer.Option("--arch", metavar="NAME", help=f"Architecture: {', '.join(ARCHITECTURES)}. [unet]"),
    ] = None
    init: Annotated[str | None, typer.Option("--init", metavar="MODEL", help="Weights to start with.")] = None
    devices: Annotated[int, typer.Option("--devices", min=1, help="Number of devices on this machine.")] = 1
    licence: Annotated[str, typer.Option("--licence", metavar="NAME", help="Licence of the exported model.")] = (
        "not stated"
    )

    @property
    def folders(self) -> dict[str, Folders]:
        """Folders of training data by kind."""
        return {**super().folders, "unlabelled": self.unlabelled}

    @property
    def training_settings(self) -> dict[str, Any]:
        """Settings of the configuration's table ``training``; None stands for those that were not given."""
        return {**super().training_settings, "steps": self.steps, "epochs": self.epochs}


def train(options: TrainOptions) -> None:
    """Train a model on songs with stems, or on solo voices and instrumentals, or on any mix of them.

    Batches are mixed on the fly. The run's folder holds its settings, log, curve, checkpoints, and model.safetensors
    for `vocalsep split --model`. Stop it at any moment; --resume continues as if it had not stopped. With --steps too,
    a run that has stopped or ended trains up to that step: from there on its learning rate is that of a run which
    started with so many.
    """
    require("train", "training")
    tables = options.tables()
    if options.resume:
        _check_resume(options)
    else:
        _add_semi_supervised(tables, options)
    _report(_train(tables, options), options.quiet)


def _check_resume(options: TrainOptions) -> None:
    """Raise UsageError where a run that is resumed would get settings other than it started with."""
    settings: list[object] = [options.config, *options.folders.values(), options.valid, options.exclude]
    settings += [options.arch, options.init]
    settings += [value for name, value in options.training_settings.items() if name != "steps"]
    if any(setting not in (None, []) for setting in settings):
        raise UsageError(
            "--resume goes on with the run's own settings; leave out those that it began with (only --steps and "
            "--semi-steps may change)"
        )


def _add_semi_supervised(tables: dict[str, Any], options: TrainOptions) -> None:
    """Set the number of semi-supervised steps, by default that of supervised ones."""
    from ..training.config import OptimizerConfig

    adversarial = tables.setdefault("adversarial", {})
    if not isinstance(adversarial, dict):
        raise UsageError("adversarial must be a table", path=options.config)
    if options.semi_steps is not None:
        adversarial["steps"] = options.semi_steps
    elif options.unlabelled and "steps" not in adversarial:
        adversarial["steps"] = tables["training"].get("steps", OptimizerConfig.steps)


def _train(tables: dict[str, Any], options: TrainOptions) -> FinishedRun:
    import torch

    from ..model_files import registry
    from ..model_files.checkpoint import read_info
    from ..training.config import TrainingConfig
    from ..training.run import RunLocation, train

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    location = RunLocation(
        options.out,
        cache=options.cache,
        resume=options.resume,
        init=options.init,
        device=options.device.value,
        devices=options.devices,
        workers=options.workers,
        licence=options.licence,
        steps=options.steps if options.resume else None,
        semi_steps=options.semi_steps if options.resume else None,
    )
    if options.arch is not None:
        tables["model"] = {**tables.get("model", {}), "architecture": options.arch}
    if options.init is not None and "model" not in tables:
        # A model to start with brings its own architecture, unless another is asked for.
        tables["model"] = dataclasses.asdict(read_info(registry.find(options.init)).config)
    config = TrainingConfig.from_dict(tables)
    if not options.resume and not config.data.sets:
        raise UsageError("there is nothing to train on; give --musdb, --stems, or --voices and --instrumentals")
    return train(config, location, lambda line: None if options.quiet else typer.echo(line, err=True), options.quiet)


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
