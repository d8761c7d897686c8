"""Format a comparison as a table and plot it."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..evaluation.plots import COLOURS
from ..system.plotting import new_figure
from .measurement import ModelMeasurement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEAD = (
    "network",
    "parameters (M)",
    "GFLOP / s of audio",
    "x real time",
    "steps",
    "minutes",
    "vocals uSDR",
    "accompaniment uSDR",
    "vocals SDR",
    "accompaniment SDR",
)
AXES = (
    ("parameters", 1e-6, "million parameters"),
    ("flops", 1e-9, "GFLOP per second of audio"),
    ("speed", 1, "x real time"),
)


def as_markdown(rows: Sequence[ModelMeasurement]) -> str:
    """Return a Markdown table, the best vocals first."""
    lines = [f"| {' | '.join(HEAD)} |", "|---" + "|---:" * (len(HEAD) - 1) + "|"]
    for row in sorted(rows, key=lambda row: -row.vocals_usdr):
        cells = [
            row.name,
            f"{row.parameters / 1e6:.2f}",
            f"{row.flops / 1e9:.2f}",
            f"{row.speed:.1f}",
            str(row.steps) if row.steps else "-",
            f"{row.minutes:.1f}" if row.steps else "-",
            *(
                f"{value:.2f}"
                for value in (row.vocals_usdr, row.accompaniment_usdr, row.vocals_sdr, row.accompaniment_sdr)
            ),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def as_csv(rows: Sequence[ModelMeasurement]) -> str:
    """Return all figures, one line a row, in plain units."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(ModelMeasurement)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(row) for row in rows)
    return text.getvalue()


def as_figure(rows: Sequence[ModelMeasurement]) -> Figure:
    """Draw vocals uSDR against parameters, computation and speed."""
    figure = new_figure(14, 5)
    for axes, (name, scale, label) in zip(figure.subplots(1, 3, sharey=True), AXES, strict=True):
        for place, row in enumerate(rows):
            x = getattr(row, name) * scale
            axes.scatter(x, row.vocals_usdr, color=COLOURS[place % len(COLOURS)])
            axes.annotate(row.name, (x, row.vocals_usdr), xytext=(4, 4), textcoords="offset points", fontsize=8)
        axes.set(xscale="log", xlabel=label)
        axes.margins(x=0.25, y=0.1)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("vocals uSDR in dB")
    return figure
