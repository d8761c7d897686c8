"""`vocalsep evaluate`."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from .. import __version__
from ..errors import UsageError
from ..inference.devices import Device, Precision
from .options import ReportOptions, finite

if TYPE_CHECKING:
    from ..datasets.songs import Song
    from ..evaluation.methods import Method
    from ..evaluation.results import TrackResult
    from ..evaluation.runner import EvaluationPlan
    from ..evaluation.scoring import ScoringSettings

Names = list[str] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateOptions(ReportOptions):
    """The options of evaluate."""

    musdb: Annotated[str | None, typer.Option("--musdb", metavar="ROOT", help="MUSDB18 or MUSDB18-HQ.")] = None
    subset: Annotated[
        str | None, typer.Option("--subset", metavar="NAME", help="Subset of MUSDB18: train or test. [test]")
    ] = None
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Part of its train subset: train or valid.")
    ] = None
    stems: Annotated[Names, typer.Option("--stems", metavar="FOLDER", help="Songs, one folder each.")] = None
    estimates: Annotated[
        Names, typer.Option("--estimates", metavar="FOLDER", help="Score these: vocals.*, one folder a song.")
    ] = None
    model: Annotated[
        Names, typer.Option("--model", metavar="MODEL", help="Models to compare. [default, unless --estimates]")
    ] = None
    precision: Annotated[
        list[Precision] | None,
        typer.Option(
            "--precision",
            metavar="PRECISION",
            help="Precision of the models' products: float32, bfloat16 or float16; each is a row. [float32]",
        ),
    ] = None
    oracles: Annotated[
        str, typer.Option("--oracles", metavar="NAMES", help="Oracles to score, of IRM1,IRM2,IBM,PSM; or none.")
    ] = "IRM1,IRM2,IBM,PSM"
    metrics: Annotated[str, typer.Option("--metrics", metavar="NAMES", help="Metrics, of bss,usdr,si-sdr,nsdr.")] = (
        "bss,usdr,si-sdr,nsdr"
    )
    window: Annotated[
        float,
        typer.Option("--window", metavar="SECONDS", callback=finite, help="Length of the windows of BSS Eval v4."),
    ] = 1.0
    hop: Annotated[
        float, typer.Option("--hop", metavar="SECONDS", callback=finite, help="Between the starts of those windows.")
    ] = 1.0
    snr: Annotated[
        float | None,
        typer.Option(
            "--snr",
            metavar="DB",
            callback=finite,
            help="Remix the stems with the vocals at this level above the accompaniment; MIR-1K: 0.",
        ),
    ] = None
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first songs.")] = None
    out: Annotated[
        pathlib.Path | None,
        typer.Option("-o", "--out", metavar="FOLDER", help="Folder for report.html, results.csv, results.json."),
    ] = None
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Processes. [one for each core]")] = None
    device: Annotated[Device, typer.Option("--device", help="Where the network runs.")] = Device.AUTO


def evaluate(options: EvaluateOptions) -> None:
    """Score models, estimates, oracles and the plain mixture on songs with true stems.

    With --out, what is finished is kept: the same command continues where it was stopped, and does again only what has
    changed.
    """
    from ..evaluation.runner import EvaluationPlan
    from ..evaluation.scoring import METRICS, ScoringSettings

    metrics = _chosen("--metrics", options.metrics, METRICS)
    if not options.window > 0 or not options.hop > 0:
        raise UsageError("--window and --hop are above 0 seconds")
    settings = ScoringSettings(metrics, options.window, options.hop, options.snr)
    precisions = [precision.value for precision in options.precision or [Precision.FLOAT32]]
    rows = _rows(options.model, precisions, options.estimates, options.oracles)
    songs = _songs(options)[: options.limit]
    plan = EvaluationPlan(tuple(rows), settings, options.device.value, options.out, options.out is not None)
    results = _scored(songs, plan, options.jobs or os.cpu_count() or 1, options.quiet)
    _report(results, plan, options.as_json, options.quiet)


def _chosen(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in known:
            raise UsageError(f"{option} {name!r} is unknown; choose from {', '.join(known)}")
    if not names:
        raise UsageError(f"{option} names nothing; choose from {', '.join(known)}")
    return names


def _rows(models: Names, precisions: list[str], estimates: Names, oracles: str) -> list[Method]:
    from ..evaluation.methods import Method
    from ..evaluation.oracles import ORACLES
    from ..model_files import registry

    rows = [Method("mixture", "mixture")]
    if oracles != "none":
        rows += [Method("oracle", f"oracle {name}", name) for name in _chosen("--oracles", oracles, tuple(ORACLES))]
    for folder in estimates or []:
        if not pathlib.Path(folder).is_dir():
            raise UsageError("no such folder", path=folder)
        rows.append(Method("estimates", pathlib.Path(folder).resolve().name, folder))
    several = len(set(precisions)) > 1
    for model in models or ([] if estimates else [registry.DEFAULT]):
        path = registry.find(model)
        name = path.stem if path.stem != "model" else path.parent.name
        for precision in dict.fromkeys(precisions):
            rows.append(Method("model", f"{name} {precision}" if several else name, model, precision))
    names = [row.name for row in rows]
    return [row if names.count(row.name) == 1 else _with_full_name(row, several) for row in rows]


def _with_full_name(row: Method, several: bool) -> Method:
    """Return a row that is named by its whole source, as another has the same short name."""
    name = row.source or row.name
    return dataclasses.replace(row, name=f"{name} {row.precision}" if several and row.kind == "model" else name)


def _songs(options: EvaluateOptions) -> list[Song]:
    from ..datasets.musdb18 import find_tracks
    from ..datasets.stems import find_songs

    musdb, subset, split, stems = options.musdb, options.subset, options.split, options.stems
    if not musdb and not stems:
        raise UsageError("there is nothing to score on; give --musdb or --stems")
    if (subset or split) and not musdb:
        raise UsageError("--subset and --split choose among the songs of MUSDB18; give --musdb too")
    songs: list[Song] = []
    if musdb:
        songs += find_tracks(pathlib.Path(musdb), subset or ("train" if split else "test"), split)
    for folder in stems or []:
        songs += find_songs(pathlib.Path(folder))
    return songs


def _scored(songs: list[Song], plan: EvaluationPlan, jobs: int, quiet: bool) -> list[TrackResult]:
    from ..evaluation.runner import evaluate as run
    from ..system.progress import Bar

    with Bar(total=len(songs), unit="track", disable=quiet or not sys.stderr.isatty()) as bar:
        return run(songs, plan, jobs, lambda _: bar.update())


def _measured(settings: ScoringSettings) -> Iterator[str]:
    if "bss" in settings.metrics:
        yield f"BSS Eval v4: medians over windows of {settings.window_s:g} s, then over tracks"
    means = [name for metric, name in (("usdr", "uSDR"), ("si-sdr", "SI-SDR")) if metric in settings.metrics]
    if means:
        yield f"{', '.join(means)}: means over tracks"
    if "nsdr" in settings.metrics:
        yield "BSS Eval v3 in mono: NSDR is the mean over tracks, GNSDR, GSIR, GSAR are weighted by length"


def _report(results: list[TrackResult], plan: EvaluationPlan, as_json: bool, quiet: bool) -> None:
    from ..evaluation.results import plain
    from ..evaluation.tables import as_csv, as_text, summarize

    summary = summarize(results)
    report = {
        "vocalsep": __version__,
        "settings": dataclasses.asdict(plan.settings),
        "rows": [dataclasses.asdict(row) for row in plan.methods],
        "summary": summary,
        "tracks": [dataclasses.asdict(result) for result in results],
    }
    failed = [result for result in results if result.error]
    scored = len(results) - len(failed)
    facts = [
        "; ".join([f"{scored} track{'s' if scored != 1 else ''}", *_measured(plan.settings)]),
        f"vocalsep {__version__}: {' '.join(['vocalsep', *sys.argv[1:]])}",
    ]
    if plan.folder is not None:
        from ..evaluation.report import as_html
        from ..system.atomic_files import write_text

        write_text(plan.folder / "results.json", json.dumps(plain(report), indent=1, ensure_ascii=False) + "\n")
        write_text(plan.folder / "results.csv", as_csv(results))
        write_text(
            plan.folder / "report.html",
            as_html(results, summary, plan.folder, f"Separation of {scored} tracks", facts),
        )
    if as_json:
        typer.echo(json.dumps(plain(report), indent=1))
    elif not quiet and scored:
        typer.echo(as_text(summary))
        typer.echo(facts[0])
        for result in results:
            if result.silent:
                typer.echo(f"{result.track}: silent {' and '.join(result.silent)}, no score")
        if plan.folder is not None:
            typer.echo(f"{plan.folder / 'report.html'}")
    for result in failed:
        typer.echo(f"vocalsep: {result.track} was not scored: {' '.join(result.error.split())}", err=True)
    if failed:
        raise typer.Exit(2 if not scored else 1)
