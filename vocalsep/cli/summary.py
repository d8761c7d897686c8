"""What split and karaoke print of their results."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import typer

from .. import __version__
from .errors import error_message
from .options import SeparationOptions

if TYPE_CHECKING:
    from ..jobs.batch import BatchResults, SongResult
    from ..jobs.rendering import Remark
    from .progress import JsonBatchProgress

logger = logging.getLogger(__name__)

# What the user can do about a remark, by the option that it depends on.
REMARK_HINTS = {"audio_stream": "--audio-stream takes another"}


def report_line(line: str) -> None:
    """Print a line on standard error above any progress bar; a closed terminal does not matter."""
    from tqdm import tqdm

    with contextlib.suppress(OSError):
        tqdm.write(line, file=sys.stderr)


def report_result(result: SongResult, options: SeparationOptions, lines: JsonBatchProgress | None = None) -> None:
    """Print the error and the remarks of a result, and its line of JSON if `lines` are asked for."""
    if result.error is not None:
        report_line(f"{result.source}: {_result_message(result, options)}")
    if result.traceback:
        logger.debug("%s: %s", result.source, result.traceback)
    if result.rendered is not None:
        for remark in result.rendered.remarks:
            report_line(f"{result.source}: {_remark_text(remark)}")
    if lines is not None:
        lines.finished(result, _result_message(result, options))


def print_summary(
    options: SeparationOptions, batch: BatchResults, inputs: int, interrupted: bool, seconds: float
) -> None:
    """Print how many inputs were done, and with --json all results on standard output.

    Parameters
    ----------
    options : SeparationOptions
    batch : BatchResults
    inputs : int
        Number of inputs in all.
    interrupted : bool
    seconds : float
        How long it took.
    """
    from ..jobs.batch import DONE, SKIPPED, STATUSES

    counts = {status: batch.count(status) for status in STATUSES}
    if options.as_json:
        summary = {
            "version": __version__,
            "model": options.model,
            "interrupted": interrupted,
            **counts,
            "files": [_as_dict(result, options) for result in batch.results],
        }
        typer.echo(json.dumps(summary, indent=2))
    if interrupted:
        report_line(f"vocalsep: interrupted, {counts[DONE]} of {inputs} done; no unfinished file was left")
    elif not options.quiet and (inputs > 1 or counts[SKIPPED]):
        report_line(", ".join(f"{count} {status}" for status, count in counts.items()))
    if not options.quiet and counts[DONE]:
        report_line(_speed(batch, seconds))
    if not options.quiet and not options.as_json and not options.to_stdout and inputs == 1 and counts[DONE]:
        for path in batch.results[0].outputs.values():
            typer.echo(path)


def _speed(batch: BatchResults, seconds: float) -> str:
    """Return how much sound was separated, in how many seconds, and how many times faster than it plays."""
    rendered = [result.rendered for result in batch.results if result.rendered is not None]
    sound_s = sum(song.samples / song.info.sample_rate for song in rendered)
    return f"{sound_s:.1f} s of sound in {seconds:.1f} s, {sound_s / max(seconds, 1e-3):.1f} times real time"


def _as_dict(result: SongResult, options: SeparationOptions) -> dict[str, Any]:
    summary: dict[str, Any] = {"input": result.source, "status": result.status, "outputs": result.outputs}
    if result.error is not None:
        summary["error"] = _result_message(result, options)
    if result.rendered is not None:
        info = result.rendered.info
        summary |= {
            "sample_rate": info.sample_rate,
            "channels": info.channels,
            "samples": result.rendered.samples,
            "duration_s": result.rendered.samples / info.sample_rate,
            "took_s": round(result.rendered.seconds, 3),
            "gain_db": round(result.rendered.gain_db, 3),
            "remarks": [_remark_text(remark) for remark in result.rendered.remarks],
        }
    return summary


def _result_message(result: SongResult, options: SeparationOptions) -> str:
    """Return the message of a result's error, with its path where that is not the input's."""
    if result.error is None:
        return ""
    path = "" if result.error.path in (None, result.source) else f"{result.error.path}: "
    return path + error_message(result.error, {field.name for field in dataclasses.fields(options)})


def _remark_text(remark: Remark) -> str:
    hint = REMARK_HINTS.get(remark.option, "")
    return f"{remark.text}{'; ' if hint else ''}{hint}"
