"""Scores of all tracks as a summary, as a table of text and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

import numpy as np

from .bss import V3, V4
from .results import TrackResult
from .scoring import SCORED

MEANS = ("uSDR", "SI-SDR")
GLOBAL = {"NSDR": "GNSDR", "SIR3": "GSIR", "SAR3": "GSAR"}
Summary = dict[str, dict[str, dict[str, float]]]


def summarize(results: Sequence[TrackResult]) -> Summary:
    """Return one score for each method, stem and metric, in dB.

    Scores of BSS Eval v4 are medians over tracks of the medians over windows (Stöter et al., SiSEC 2018). uSDR, SI-SDR
    and NSDR are means over tracks. GNSDR, GSIR and GSAR are means weighted by the tracks' lengths (Hsu and Jang, 2010,
    who published MIR-1K). NaN scores are left out; infinite ones count in medians only.

    Parameters
    ----------
    results : sequence of TrackResult

    Returns
    -------
    dict
        ``summary[method][stem][metric]``; NaN where no track has the score.
    """
    rows = list(dict.fromkeys(row for result in results for row in result.scores))
    summary: Summary = {row: {stem: {} for stem in SCORED} for row in rows}
    for row in rows:
        for stem in SCORED:
            scored = [(result.seconds, result.scores[row][stem]) for result in results if row in result.scores]
            names = dict.fromkeys(name for _, figures in scored for name in figures)
            totals = summary[row][stem]
            for name in names:
                pairs = [(seconds, figures[name]) for seconds, figures in scored if not math.isnan(figures[name])]
                weights, values = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
                finite = np.isfinite(values)
                if name in V4:
                    totals[name] = float(np.median(values)) if values.size else math.nan
                if name in MEANS or name == "NSDR":
                    totals[name] = float(values[finite].mean()) if finite.any() else math.nan
                if name in V3:
                    kept = finite & (weights > 0)
                    totals[GLOBAL[name]] = (
                        float(np.average(values[kept], weights=weights[kept])) if kept.any() else math.nan
                    )
    return summary


def as_text(summary: Summary) -> str:
    """Return a summary as text: a table for each stem, with a line for each method and a column for each metric."""
    lines = []
    width = max([len(row) for row in summary], default=0)
    for stem in SCORED:
        names = list(dict.fromkeys(name for stems in summary.values() for name in stems[stem]))
        lines.append(f"{stem}, dB".ljust(max(width, 18)) + "".join(name.rjust(8) for name in names))
        for row, stems in summary.items():
            values = "".join(_short(stems[stem].get(name, math.nan)).rjust(8) for name in names)
            lines.append(row.ljust(max(width, 18)) + values)
        lines.append("")
    return "\n".join(lines).rstrip()


def as_csv(results: Sequence[TrackResult]) -> str:
    """Return the scores of each track, method and stem as CSV; empty where a score is NaN."""
    names = list(
        dict.fromkeys(
            name
            for result in results
            for stems in result.scores.values()
            for figures in stems.values()
            for name in figures
        )
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["track", "seconds", "method", "stem", *names])
    for result in results:
        for row, stems in result.scores.items():
            for stem, figures in stems.items():
                values = [_precise(figures.get(name, math.nan)) for name in names]
                writer.writerow([result.track, f"{result.seconds:.3f}", row, stem, *values])
    return text.getvalue()


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _precise(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
