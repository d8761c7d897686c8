"""`vocalsep plot`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import AudioError, UsageError
from ..system.extras import require
from .options import AudioStream, DeviceOptions, Model, Overwrite, Quiet, TimeRangeOptions
from .paths import check_output, local_path

if TYPE_CHECKING:
    import numpy as np

IMAGE_SUFFIXES = (".png", ".pdf", ".svg", ".jpg")
DEFAULT_S, SHORTEST_S, LONGEST_S = 30.0, 0.1, 600.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlotOptions(TimeRangeOptions, DeviceOptions):
    """The options of plot."""

    song: Annotated[str, typer.Argument(metavar="SONG", help="A song or a video.")]
    out: Annotated[
        pathlib.Path | None,
        typer.Option("-o", "--out", help="A .png, .pdf, .svg or .jpg. [the song's name, .png]"),
    ] = None
    audio_stream: AudioStream = None
    model: Model = "default"
    overwrite: Overwrite = False
    quiet: Quiet = False


def plot(options: PlotOptions) -> None:
    """Draw the spectrograms of a song: mixture, mask, vocals and accompaniment."""
    require("train", "drawing spectrograms")
    path = local_path(options.song)
    target = options.out or pathlib.Path(f"{path.stem}.png")
    if target.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"the picture's name ends in {', '.join(IMAGE_SUFFIXES)}", path=target)
    check_output(target, options.overwrite)
    start = options.start or 0.0
    duration = DEFAULT_S if options.duration is None else options.duration
    if not SHORTEST_S <= duration <= LONGEST_S:
        raise UsageError(f"--duration {duration:g} s cannot be shown; {SHORTEST_S:g} to {LONGEST_S:g} s")
    mixture, sample_rate = _read_excerpt(path, start, duration, options.audio_stream)
    _draw(options, mixture, sample_rate, start, target)
    if not options.quiet:
        typer.echo(str(target))


def _read_excerpt(
    path: pathlib.Path, start: float, duration: float, audio_stream: str | None
) -> tuple[np.ndarray, int]:
    from ..audio.decoding import open_source
    from ..datasets.clips import open_clip

    with open_source(path, stream=audio_stream) as source:
        stream = source.info.stream
    clip = open_clip(path, stream)
    first = round(start * clip.sample_rate)
    if first >= clip.samples:
        raise AudioError(f"--start {start:g} lies past its end at {clip.seconds:.1f} s", path=path)
    length = min(clip.samples - first, round(duration * clip.sample_rate))
    return clip.read(first, length), clip.sample_rate


def _draw(options: PlotOptions, mixture: np.ndarray, sample_rate: int, start: float, target: pathlib.Path) -> None:
    from ..evaluation.plots import spectrograms
    from ..separator import Separator
    from ..system.plotting import save

    separator = Separator(options.model, device=options.device.value, threads=options.threads)
    vocals, accompaniment = separator.separate(mixture, sample_rate)
    figure = spectrograms(
        {"mixture": mixture, "mask": ("vocals", "mixture"), "vocals": vocals, "accompaniment": accompaniment},
        sample_rate,
        start,
    )
    save(figure, target, options.overwrite)
