"""`vocalsep karaoke`."""

from __future__ import annotations

import dataclasses
import enum
import math
import pathlib
import re
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError, VocalsepError
from . import options, separation
from .summary import report_line

if TYPE_CHECKING:
    from ..jobs.inputs import InputFile
    from ..jobs.outputs import StemMix
    from ..karaoke_video import VideoSettings

NAME = "{name} (karaoke).{ext}"
SILENT_DB = -100.0
SIZE = re.compile(r"(\d{1,5})[x×X*](\d{1,5})", re.ASCII)


class Words(str, enum.Enum):
    """How a karaoke video shows its words."""

    BURNT = "burnt"
    SUBTITLES = "subtitles"


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
    video: Annotated[
        bool,
        typer.Option(
            "--video", help="Make an mp4 video with the words: over the song's own picture, its cover, or plain."
        ),
    ] = False
    lyrics: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--lyrics",
            metavar="FILE",
            help="Words for --video, as .lrc; default: an .lrc file beside the song, else those in its tags.",
        ),
    ] = None
    words: Annotated[
        Words,
        typer.Option("--words", help="How --video shows them: drawn into the picture, or as a track to switch on."),
    ] = Words.BURNT
    font: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--font", metavar="FILE", help="TrueType or OpenType font of the words; default: one of the system."
        ),
    ] = None
    size: Annotated[
        str, typer.Option("--size", metavar="WxH", help="Pixels of the picture of --video, where the song has none.")
    ] = "1280x720"
    name: options.NameTemplate = NAME

    @property
    def vocals_gain(self) -> float:
        """Linear gain of the vocals."""
        return 0.0 if self.vocals is None or self.vocals <= SILENT_DB else math.pow(10, self.vocals / 20)


def karaoke(options: KaraokeOptions) -> None:
    """Make karaoke tracks: songs without their vocals, or with quiet ones.

    A video stays a video with its picture untouched, unless --format asks for sound alone. With --video every song
    becomes a video with its words to sing along.
    """
    from ..audio.stem_file import STEM_FILE
    from ..jobs.name_template import check_template

    check_template(options.name, 1)
    encoding = options.encoding()
    settings = _video_settings(options)
    if encoding.format.name == STEM_FILE:
        raise UsageError(f"a {STEM_FILE} holds stems, not a karaoke track; `vocalsep split` makes it")
    with separation.open_inputs(options) as inputs:
        if options.lyrics is not None and len(inputs.files) > 1:
            raise UsageError("--lyrics has the words of one song; for several put an .lrc file beside each")
        mixes = [[_karaoke_mix(options, file, settings)] for file in inputs.files]
        jobs = separation.plan(options, inputs, mixes, options.name, encoding)
        separation.run(options, inputs, jobs, encoding)


def _video_settings(options: KaraokeOptions) -> VideoSettings | None:
    """Return how videos with words are made, None without --video; raises UsageError."""
    if not options.video:
        for value, option in ((options.lyrics, "--lyrics"), (options.font, "--font")):
            if value is not None:
                raise UsageError(f"{option} is for a video with words; add --video")
        return None
    if options.format_name:
        raise UsageError("--video makes an mp4 with AAC sound; leave --format out")
    from ..jobs.karaoke_videos import with_times
    from ..karaoke_video import VideoSettings, check_drawing
    from ..lyrics import read_lyrics

    size = SIZE.fullmatch(options.size.strip())
    if size is None:
        raise UsageError(f"--size {options.size!r} is not understood; write it as 1280x720")
    check_drawing(options.font)
    lyrics = None
    if options.lyrics is not None:
        lyrics = with_times(read_lyrics(options.lyrics), options.lyrics)
        for problem in lyrics.problems:
            report_line(f"{options.lyrics}: {problem}")
    return VideoSettings(options.words.value, int(size[1]), int(size[2]), options.font, lyrics)


def _karaoke_mix(options: KaraokeOptions, file: InputFile, settings: VideoSettings | None) -> StemMix:
    from ..jobs.outputs import StemMix

    if settings is not None:
        return StemMix(
            "karaoke", "Karaoke", options.vocals_gain, 1.0, key=options.key, tempo=options.tempo, karaoke_video=settings
        )
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
