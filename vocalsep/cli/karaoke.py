"""`vocalsep karaoke`."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError, VocalsepError
from . import options, separation

if TYPE_CHECKING:
    from ..jobs.inputs import InputFile
    from ..jobs.outputs import StemMix

NAME = "{name} (karaoke).{ext}"
SILENT_DB = -100.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class KaraokeOptions(options.SeparationOptions):
    """The options of karaoke."""

    vocals: Annotated[
        float | None,
        typer.Option("--vocals", metavar="DB", max=0, help="Keep the voice as a guide, at this gain: -12, say."),
    ] = None
    key: Annotated[
        float, typer.Option("--key", metavar="SEMITONES", min=-12, max=12, help="Transpose by so many semitones.")
    ] = 0
    tempo: Annotated[
        float, typer.Option("--tempo", metavar="PERCENT", min=50, max=200, help="Percent of the song's tempo.")
    ] = 100
    name: options.NameTemplate = NAME

    @property
    def vocals_gain(self) -> float:
        """Linear gain of the vocals."""
        return 0.0 if self.vocals is None or self.vocals <= SILENT_DB else math.pow(10, self.vocals / 20)


def karaoke(options: KaraokeOptions) -> None:
    """Make karaoke tracks: songs without their vocals, or with quiet ones.

    A video stays a video with its picture untouched, unless --format asks for sound alone.
    """
    from ..audio.stem_file import STEM_FILE
    from ..jobs.name_template import check_template

    check_template(options.name, 1)
    encoding = options.encoding()
    if encoding.format.name == STEM_FILE:
        raise UsageError(f"a {STEM_FILE} holds stems, not a karaoke track; `vocalsep split` makes it")
    with separation.open_inputs(options) as inputs:
        mixes = [[_karaoke_mix(options, file)] for file in inputs.files]
        jobs = separation.plan(options, inputs, mixes, options.name, encoding)
        separation.run(options, inputs, jobs, encoding)


def _karaoke_mix(options: KaraokeOptions, file: InputFile) -> StemMix:
    from ..jobs.outputs import StemMix

    container = "" if options.format_name else _video_container(options, file)
    if container and options.tempo != 100:
        raise UsageError(f"{file.path}: --tempo would part sound and picture; add --format for the sound alone")
    if container and (options.start, options.duration) != (None, None):
        raise UsageError(f"{file.path}: --start and --duration cut sound only; add --format for the sound alone")
    return StemMix("karaoke", "Karaoke", options.vocals_gain, 1.0, container, options.key, options.tempo)


def _video_container(options: KaraokeOptions, file: InputFile) -> str:
    """Return the suffix of the container for a video's copy; empty for a file without a video."""
    from ..audio.decoding import has_video
    from ..audio.formats import AUDIO_SUFFIXES
    from ..audio.video_plan import FALLBACK_SUFFIX, plan_video

    # An .ogg may hold a Theora video.
    if file.path.suffix.lower() in AUDIO_SUFFIXES - {".ogg"} or not has_video(file.path):
        return ""
    try:
        return plan_video(file.path, options.audio_stream).suffix
    except VocalsepError:
        # It is reported as this file's result, before any work is done for it.
        return FALLBACK_SUFFIX
