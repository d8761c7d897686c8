"""Figures drawn without a display."""

from __future__ import annotations

import io
import pathlib
from typing import TYPE_CHECKING

from .atomic_files import Pending, output_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; width and height in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: pathlib.Path, overwrite: bool, dpi: int = 90) -> None:
    """Write a figure in the format of the suffix; raises OutputError, or OutputExistsError unless `overwrite`."""
    with Pending(path, overwrite=overwrite) as pending:
        try:
            _draw(figure, pending.path, dpi)
        except OSError as error:
            raise output_error(path, error) from None
        pending.commit()


def as_png(figure: Figure) -> bytes:
    """Return a figure as a PNG file's bytes."""
    memory = io.BytesIO()
    _draw(figure, memory, dpi=110, file_format="png")
    return memory.getvalue()


def _draw(figure: Figure, target: pathlib.Path | io.BytesIO, dpi: int, file_format: str | None = None) -> None:
    """Write a figure; without a format, in that of the suffix."""
    # With a layout engine, `Figure.savefig` would draw everything twice, to place it first.
    figure.set_dpi(dpi)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
    figure.savefig(target, dpi=dpi, format=file_format)
