"""`vocalsep train`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from . import options, session

if TYPE_CHECKING:
    from ..training.run import Finished

Folders = list[str] | None


def _folders(name: str, said: str) -> Any:
    return typer.Option(name, metavar="FOLDER", help=f"{said} May be given several times.")


def train(
    musdb: Annotated[Folders, _folders("--musdb", "MUSDB18 (.stem.mp4) or MUSDB18-HQ (wav).")] = None,
    stems: Annotated[Folders, _folders("--stems", "Songs, one folder each: vocals.* and accompaniment.*.")] = None,
    voices: Annotated[Folders, _folders("--voices", "Solo singing.")] = None,
    instrumentals: Annotated[Folders, _folders("--instrumentals", "Music without vocals.")] = None,
    pairs: Annotated[Folders, _folders("--pairs", "Releases, one folder each: original.* and instrumental.*.")] = None,
    noise: Annotated[Folders, _folders("--noise", "Noise, added to mixtures only.")] = None,
    valid: Annotated[Folders, _folders("--valid", "Songs with stems to validate on; else some are held out.")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="PATTERN", help="Songs and files never to use.")
    ] = None,
    out: Annotated[pathlib.Path, typer.Option("-o", "--out", help="Folder of the run.")] = pathlib.Path("run"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, as it was begun.")] = False,
    config: Annotated[
        pathlib.Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings; other options go before it.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Examples per step. [8]")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Length of the run. [20000]")] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Length of the run, in passes of the data.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Largest learning rate. [0.001]")] = None,
    arch: Annotated[str | None, typer.Option("--arch", help="Architecture: unet, spleeter. [unet]")] = None,
    loss: Annotated[str | None, typer.Option("--loss", help="Such as l1, or a sum: l1+0.1*sdr. [l1]")] = None,
    init: Annotated[str | None, typer.Option("--init", metavar="MODEL", help="Weights to begin with.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of all chance. [1]")] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="auto, 32-true, bf16-mixed, 16-mixed, 64-true. [auto]")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that make examples.")] = 2,
    device: options.DeviceName = options.Device.AUTO,
    devices: Annotated[int, typer.Option("--devices", min=1, help="How many of them, on this machine.")] = 1,
    threads: options.Threads = None,
    cache: Annotated[
        pathlib.Path | None, typer.Option("--cache", help="Seekable copies. [stem-cache beside the run]")
    ] = None,
    licence: Annotated[str, typer.Option("--licence", help="Of the exported model.")] = "not stated",
    quiet: options.Quiet = False,
) -> None:
    """Train a model on songs with stems, or on solo voices and instrumentals, or on any mix of them.

    Batches are mixed on the fly. The run's folder holds its settings, log, curve, checkpoints, and model.safetensors
    for `vocalsep split --model`. Stop it at any moment; --resume goes on as if it had not stopped.
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
    }
    with session.one_line_errors():
        tables = _tables(config, {name: value for name, value in given.items() if value is not None}, sets)
        if valid:
            tables["data"]["valid"] = [{"kind": "stems", "path": path} for path in valid]
        if exclude:
            tables["data"]["exclude"] = [*tables["data"].get("exclude", []), *exclude]
        if resume and (config or any(given.values()) or any(sets.values()) or valid or exclude or arch or init):
            raise UsageError("--resume goes on with the run's own settings; leave out those that it began with")
        place = (out, cache, resume, init, device.value, devices, workers, licence)
        finished = _train(tables, arch, place, threads, quiet)
        _report(finished, quiet)


def _tables(config: pathlib.Path | None, given: dict[str, Any], sets: dict[str, Folders]) -> dict[str, Any]:
    from ..training.config import read_toml

    tables = read_toml(config) if config else {}
    for name in ("data", "training"):
        if not isinstance(tables.setdefault(name, {}), dict):
            raise UsageError(f"{config}: {name} must be a table")
    tables["training"].update(given)
    if "steps" in given:
        tables["training"].setdefault("epochs", 0.0)
        tables["training"]["epochs"] = given.get("epochs", 0.0)
    named = [{"kind": kind, "path": path} for kind, paths in sets.items() for path in paths or []]
    if named:
        tables["data"]["sets"] = named
    return tables


def _train(
    tables: dict[str, Any],
    arch: str | None,
    placed: tuple[Any, ...],
    threads: int | None,
    quiet: bool,
) -> Finished:
    import torch

    from .. import registry
    from ..checkpoint import read_info
    from ..training.config import TrainingConfig
    from ..training.run import Place, train

    if threads is not None:
        torch.set_num_threads(threads)
    place = Place(*placed)
    if arch is not None:
        tables["model"] = {**tables.get("model", {}), "architecture": arch}
    if place.init is not None and "model" not in tables:
        # A model that is begun with brings its own architecture, unless another is asked for.
        tables["model"] = dataclasses.asdict(read_info(registry.find(place.init)).config)
    settings = TrainingConfig.from_dict(tables)
    if not place.resume and not settings.data.sets:
        raise UsageError("there is nothing to train on; give --musdb, --stems, or --voices and --instrumentals")
    return train(settings, place, lambda line: None if quiet else typer.echo(line, err=True), quiet)


def _report(finished: Finished, quiet: bool) -> None:
    if not finished.main:
        return
    outcome, progress = finished.outcome, finished.outcome.progress
    for fault, times in progress.faulty.items():
        typer.echo(f"could not be read ({times} times): {fault}", err=True)
    if outcome.why == "stopped":
        typer.echo(
            f"vocalsep: stopped at step {progress.step}; vocalsep train --resume --out {finished.folder.path} goes on",
            err=True,
        )
        raise typer.Exit(session.INTERRUPTED)
    if quiet:
        return
    if outcome.steps_per_second:
        typer.echo(
            f"{outcome.steps_per_second:.2f} steps a second; {outcome.data_wait:.1%} of their time waiting for data",
            err=True,
        )
    ended = "; nothing better came for long" if outcome.why == "early" else ""
    best = "" if progress.best is None else f", best {progress.best:.2f} dB vocals uSDR at step {progress.best_step}"
    typer.echo(f"{finished.folder.model}: {progress.step} steps{best}{ended}")
