"""`vocalsep bench`."""

from __future__ import annotations

import json
import pathlib
from typing import Annotated

import typer

from ..errors import UsageError
from . import options, session, settings


def bench(
    song: Annotated[
        pathlib.Path | None, typer.Argument(metavar="SONG", help="What to measure with. [one that is made]")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=5, callback=options.finite, help="Length of the song that is made.")
    ] = 60,
    minutes: Annotated[
        str, typer.Option("--minutes", help="Lengths of songs to watch the memory of, such as 3,30,60,180; or none.")
    ] = "3,30",
    against: Annotated[
        list[str] | None,
        typer.Option("--against", metavar="PEER", help="spleeter, or a command with {song} and {out}. Repeatable."),
    ] = None,
    train: Annotated[
        pathlib.Path | None, typer.Option("--train", metavar="FILE.toml", help="Try the speed of this training too.")
    ] = None,
    cache: settings.CacheFolder = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often everything is done; medians count.")] = 5,
    model: options.Model = "default",
    backend: options.BackendName = options.Backend.AUTO,
    precision: options.PrecisionName = options.Precision.FLOAT32,
    threads: options.Threads = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure how fast this machine separates: each step, whole processes, memory, and against peers.

    All that is compared takes turns in one run: machines are faster at one time than at another.
    """
    with session.one_line_errors():
        if song is not None and not song.is_file():
            raise UsageError(f"{song}: no such file")
        lengths = _lengths(minutes)

        from ..benchmark.run import BenchmarkPlan, as_text, benchmark
        from ..training.config import TrainingConfig, read_toml

        training = None if train is None else TrainingConfig.from_dict(read_toml(train))
        plan = BenchmarkPlan(
            song,
            seconds,
            model,
            backend.value,
            precision.value,
            threads,
            rounds,
            lengths,
            tuple(against or ()),
            training,
            cache,
        )
        said = benchmark(plan, lambda line: None if quiet else typer.echo(f"measuring: {line}", err=True))
        typer.echo(json.dumps(said, indent=1) if as_json else as_text(said))


def _lengths(said: str) -> tuple[float, ...]:
    if said == "none":
        return ()
    try:
        found = tuple(float(part) for part in said.split(","))
    except ValueError:
        raise UsageError(f"--minutes {said!r} is not a list of numbers such as 3,30") from None
    if not all(0 < length <= 1000 for length in found):
        raise UsageError("--minutes are above 0 and at most 1000")
    return found
