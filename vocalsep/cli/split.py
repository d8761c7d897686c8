"""`vocalsep split`."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from . import options, session

if TYPE_CHECKING:
    from ..jobs.inputs import Song
    from ..jobs.rendering import Encoding, OutputSpec

NAME = "{name}/{stem}.{ext}"
# Of a format whose files hold all stems.
ONE_NAME = "{name}.{ext}"


def split(
    paths: options.Paths,
    out: options.Out = options.DEFAULT_OUT,
    stem: Annotated[options.Stem | None, typer.Option("--stem", help="Write this stem only.")] = None,
    start: options.Start = None,
    duration: options.Duration = None,
    name: options.Name = NAME,
    format_name: options.FormatName = "wav",
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
    """Split songs into vocals and accompaniment, which sum to the song.

    Outputs have the song's own length, rate, channels and bit depth. Exit code 0: all done; 1: some songs failed;
    2: nothing could be done.
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

        encoding = session.encoding(format_name or "wav", subtype, bitrate)
        stems = [stem.value] if stem else [one.value for one in options.Stem]
        if encoding.format.name == STEM_FILE:
            if stem:
                raise UsageError(f"a {STEM_FILE} holds all stems; leave --stem out, or choose another --format")
            stems, name = ["stems"], ONE_NAME if name == NAME else name
        check_template(name, len(stems))
    session.run(
        settings, encoding, lambda song, folder: [_track(settings, encoding, song, folder, name, one) for one in stems]
    )


def _track(
    settings: session.Settings, encoding: Encoding, song: Song, folder: pathlib.Path, name: str, stem: str
) -> OutputSpec:
    from ..audio.stem_file import STEM_FILE
    from ..jobs.rendering import stem_file_track, stem_output

    target = session.target(settings, song, folder, name, stem, encoding.format.suffix)
    return stem_file_track(target) if encoding.format.name == STEM_FILE else stem_output(stem, target)
