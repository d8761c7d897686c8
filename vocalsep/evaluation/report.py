"""The report of an evaluation: one HTML page that contains its plots."""

from __future__ import annotations

import base64
import html
import math
import pathlib
from collections.abc import Sequence

from ..system.plotting import as_png
from .plots import boxplots
from .results import TrackResult, plot_path
from .scoring import SCORED
from .tables import Summary

STYLE = """
:root { color-scheme: light dark; --text: #1d2430; --back: #fbfbfc; --line: #d7dbe2; --soft: #5b6675; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --back: #14181f; --line: #333c49; --soft: #9aa5b4; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 1060px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .6rem 0; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .7rem; text-align: right;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; background: white; border-radius: 4px; }
summary { cursor: pointer; padding: .3rem 0; } code, .soft { color: var(--soft); }
"""
SHOWN = ("SDR", "uSDR", "SI-SDR", "NSDR")


def as_html(
    results: Sequence[TrackResult], summary: Summary, folder: pathlib.Path, title: str, facts: Sequence[str]
) -> str:
    """Return the report as HTML: summary tables, box plots over tracks, and the scores and spectrograms of each track.

    Parameters
    ----------
    results : sequence of TrackResult
    summary : dict
        Of the same results, see `tables.summarize`.
    folder : pathlib.Path
        The folder of the evaluation, with the tracks' spectrograms.
    title : str
    facts : sequence of str
        Lines of text below the title that describe what was measured.
    """
    scored = [result for result in results if not result.error]
    parts = [f"<h1>{html.escape(title)}</h1>"]
    parts += [f'<p class="soft">{html.escape(fact)}</p>' for fact in facts]
    for stem in SCORED:
        parts.append(f"<h2>{stem.capitalize()}</h2>")
        parts.append(_table({row: stems[stem] for row, stems in summary.items()}, "method"))
    parts.append("<h2>Over tracks</h2>")
    named = {name for stems in summary.values() for name in stems["vocals"]}
    for name in SHOWN:
        if name in named and scored:
            parts.append(_picture(as_png(boxplots(scored, name)), "png", f"boxplots of {name} over tracks"))
    parts.append("<h2>Tracks</h2>")
    parts += [_track(result, folder) for result in results]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body>{body}</body></html>\n"
    )


def _track(result: TrackResult, folder: pathlib.Path) -> str:
    name = html.escape(result.track)
    if result.error:
        return f"<p>{name}: not scored: {html.escape(result.error)}</p>"
    silent = f" (silent: {', '.join(result.silent)})" if result.silent else ""
    inner = "".join(
        f"<h3>{stem}</h3>" + _table({row: stems[stem] for row, stems in result.scores.items()}, "method")
        for stem in SCORED
    )
    picture = plot_path(folder, result.track)
    if picture.is_file():
        inner += _picture(picture.read_bytes(), "webp", f"spectrograms of {result.track}")
    return f"<details><summary>{name}, {result.seconds:.1f} s{silent}</summary>{inner}</details>"


def _table(rows: dict[str, dict[str, float]], corner: str) -> str:
    names = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in (corner, *names))
    lines = []
    for row, figures in rows.items():
        values = "".join(f"<td>{_short(figures.get(name, math.nan))}</td>" for name in names)
        lines.append(f"<tr><td>{html.escape(row)}</td>{values}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _short(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _picture(data: bytes, kind: str, text: str) -> str:
    return f'<img alt="{html.escape(text)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
