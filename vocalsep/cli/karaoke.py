"""`vocalsep karaoke`."""

from __future__ import annotations

import math
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError, VocalsepError
from . import options, session

if TYPE_CHECKING:
    from ..jobs.inputs import Song
    from ..jobs.rendering import Encoding, OutputSpec

NAME = "{name} (karaoke).{ext}"
SILENT_DB = -100.0


def karaoke(
    paths: options.Paths,
    out: options.Out = options.DEFAULT_OUT,
    vocals: Annotated[
        float | None,
        typer.Option("--vocals", metavar="DB", max=0, help="Keep the voice as a guide, at this gain: -12, say."),
    ] = None,
    key: Annotated[float, typer.Option("--key", min=-12, max=12, help="Transpose by semitones.")] = 0,
    tempo: Annotated[float, typer.Option("--tempo", min=50, max=200, help="Percent of the song's tempo.")] = 100,
    start: options.Start = None,
    duration: options.Duration = None,
    name: options.Name = NAME,
    format_name: options.FormatName = None,
    subtype: options.Subtype = None,
    bitrate: options.Bitrate = "256k",
    recursive: options.Recursive = False,
    model: options.Model = "default",
    device: options.DeviceName = options.Device.AUTO,
    threads: options.Threads = None,
    overlap: options.Overlap = None,
    hard_mask: options.HardMask = False,
    backend: options.BackendName = options.Backend.AUTO,
    precision: options.PrecisionName = options.Precision.FLOAT32,
    skip_existing: options.SkipExisting = False,
    overwrite: options.Overwrite = False,
    salvage: options.Salvage = False,
    audio_stream: options.AudioStream = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    jobs: options.Jobs = 1,
    engine: options.EngineName = options.EngineKind.LOCAL,
) -> None:
    """Make karaoke tracks: songs without their vocals, or with quiet ones.

    A video stays a video with its picture untouched, unless --format asks for sound alone.
    """
    settings = session.Settings(
        paths,
        out,
        recursive,
        model,
        device.value,
        threads,
        overlap,
        hard_mask,
        backend.value,
        precision.value,
        skip_existing,
        overwrite,
        salvage,
        as_json,
        quiet,
        jobs,
        engine.value,
        audio_stream=audio_stream,
        start=start,
        duration=duration,
    )
    with session.one_line_errors():
        from ..audio.stem_file import STEM_FILE
        from ..jobs.name_template import check_template

        check_template(name, 1)
        encoding = session.encoding(format_name or "wav", subtype, bitrate)
        if encoding.format.name == STEM_FILE:
            raise UsageError(f"a {STEM_FILE} holds stems, not a karaoke track; `vocalsep split` makes it")
    gain = 0.0 if vocals is None or vocals <= SILENT_DB else math.pow(10, vocals / 20)
    session.run(
        settings,
        encoding,
        lambda song, folder: [_track(settings, encoding, song, folder, name, format_name is None, gain, key, tempo)],
    )


def _track(
    settings: session.Settings,
    encoding: Encoding,
    song: Song,
    folder: pathlib.Path,
    name: str,
    keep_video: bool,
    gain: float,
    key: float,
    tempo: float,
) -> OutputSpec:
    from ..audio.decoding import has_video
    from ..audio.formats import AUDIO_SUFFIXES
    from ..audio.video_plan import FALLBACK_SUFFIX, plan_video
    from ..jobs.rendering import OutputSpec

    container = ""
    # An .ogg may hold a Theora film.
    if keep_video and song.path.suffix.lower() not in AUDIO_SUFFIXES - {".ogg"} and has_video(song.path):
        try:
            container = plan_video(song.path, settings.audio_stream).suffix
        except VocalsepError:
            # It is said when it is this song's turn, before any work is done for it.
            container = FALLBACK_SUFFIX
    if container and tempo != 100:
        raise UsageError(f"{song.path}: --tempo would part sound and picture; add --format for the sound alone")
    if container and (settings.start, settings.duration) != (None, None):
        raise UsageError(f"{song.path}: --start and --duration cut sound only; add --format for the sound alone")
    target = session.target(settings, song, folder, name, "karaoke", container or encoding.format.suffix)
    return OutputSpec("karaoke", "Karaoke", gain, 1.0, target, container, key, tempo)
