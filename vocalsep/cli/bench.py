"""`vocalsep bench`."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Annotated

import typer

from ..errors import UsageError
from ..inference.devices import BackendName, Precision
from .options import Backend, Model, NetworkPrecision, ReportOptions, Threads, finite
from .training_options import CacheFolder


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchOptions(ReportOptions):
    """The options of bench."""

    song: Annotated[
        pathlib.Path | None, typer.Argument(metavar="SONG", help="What to measure with. [one that is made]")
    ] = None
    seconds: Annotated[
        float, typer.Option("--seconds", min=5, callback=finite, help="Length of the song that is made.")
    ] = 60
    minutes: Annotated[
        str,
        typer.Option(
            "--minutes",
            metavar="N,N,...",
            help="Lengths of songs to watch the memory of, such as 3,30,60,180; or none.",
        ),
    ] = "3,30"
    against: Annotated[
        list[str] | None,
        typer.Option("--against", metavar="PEER", help="spleeter, or a command with {song} and {out}. Repeatable."),
    ] = None
    train: Annotated[
        pathlib.Path | None, typer.Option("--train", metavar="FILE.toml", help="Try the speed of this training too.")
    ] = None
    cache: CacheFolder = None
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often everything is done; medians count.")] = 5
    model: Model = "default"
    backend: Backend = BackendName.AUTO
    precision: NetworkPrecision = Precision.FLOAT32
    threads: Threads = None


def bench(options: BenchOptions) -> None:
    """Measure how fast this machine separates: each step, whole processes, memory, and against peers.

    All that is compared takes turns in one run: machines are faster at one time than at another.
    """
    if options.song is not None and not options.song.is_file():
        raise UsageError("no such file", path=options.song)
    minutes = _lengths(options.minutes)

    from ..benchmark.run import BenchmarkPlan, as_text, benchmark

    training = None
    if options.train is not None:
        from ..training.config import TrainingConfig, read_toml

        training = TrainingConfig.from_dict(read_toml(options.train))
    plan = BenchmarkPlan(
        song=options.song,
        seconds=options.seconds,
        model=options.model,
        backend=options.backend.value,
        precision=options.precision.value,
        threads=options.threads,
        rounds=options.rounds,
        minutes=minutes,
        against=tuple(options.against or ()),
        training=training,
        cache=options.cache,
    )
    figures = benchmark(plan, lambda line: None if options.quiet else typer.echo(f"measuring: {line}", err=True))
    typer.echo(json.dumps(figures, indent=1) if options.as_json else as_text(figures))


def _lengths(text: str) -> tuple[float, ...]:
    if text == "none":
        return ()
    try:
        lengths = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--minutes {text!r} is not a list of numbers such as 3,30") from None
    if not all(0 < length <= 1000 for length in lengths):
        raise UsageError("--minutes are above 0 and at most 1000")
    return lengths
