"""`vocalsep info`."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .descriptions import describe_model, label, readable
from .options import AudioStream, Json, Model
from .paths import local_path

if TYPE_CHECKING:
    from ..audio.source import SourceInfo


@dataclasses.dataclass(frozen=True, kw_only=True)
class InfoOptions:
    """The options of info."""

    file: Annotated[str, typer.Argument(metavar="FILE", help="A song, a video or a model file.")]
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate",
            help="Of a song, measure what splitting it would take on this machine; of a model, count its operations.",
        ),
    ] = False
    key_tempo: Annotated[
        bool, typer.Option("--key-tempo", help="Find the song's key and tempo, and how sure they are.")
    ] = False
    model: Model = "default"
    as_json: Json = False
    audio_stream: AudioStream = None


def info(options: InfoOptions) -> None:
    """Say what a song, a video or a model file is.

    With --estimate, also what splitting a song would take on this machine: the model is tried for some seconds. With
    --key-tempo, also the song's key and tempo, found in its first ten minutes.
    """
    from ..model_files import registry

    path = local_path(options.file)
    if path.suffix in (registry.SUFFIX, registry.EXPORTED_SUFFIX):
        description = describe_model(path.stem, path)
        if options.estimate:
            from ..inference.cost import model_flops
            from ..inference.opening import model_info

            flops = model_flops(model_info(path))
            if flops is not None:
                description["flops"] = flops
    else:
        description = _describe_file(path, options)
    if options.as_json:
        typer.echo(json.dumps(description, indent=2))
        return
    for key, value in _without_streams(description).items():
        typer.echo(f"{label(key):<16} {readable(key, value)}")


def _without_streams(description: dict[str, Any]) -> dict[str, Any]:
    """Return a description for people, with a line for each audio stream in place of the list."""
    from ..audio.selection import AudioStream

    lines = dict(description)
    chosen = lines.pop("audio_stream", 0)
    for stream in lines.pop("audio_streams", ()):
        known = f"{stream['codec']}, {', '.join(AudioStream(**stream).known)}"
        lines[f"audio stream {stream['number']}"] = known + ", taken" * (stream["number"] == chosen)
    return lines


def _describe_file(path: pathlib.Path, options: InfoOptions) -> dict[str, Any]:
    from ..audio.decoding import open_source
    from ..errors import AudioError

    try:
        with open_source(path, stream=options.audio_stream) as source:
            description = _describe_song(source.info, options.model if options.estimate else None)
        if options.key_tempo:
            description |= _describe_music(path, options.audio_stream)
    except AudioError as error:
        error.about(options.file)
        raise
    return description


def _describe_song(song: SourceInfo, estimated_model: str | None) -> dict[str, Any]:
    """Describe an open file; with a model, also what splitting it with that would take."""
    from ..tags import read_tags

    description: dict[str, Any] = {
        "path": str(song.path),
        "container": song.container,
        "codec": song.codec,
        "lossy": song.lossy,
        "sample_rate": song.sample_rate,
        "channels": song.channels,
        "samples": song.samples,
        "duration_s": song.duration,
        "video": song.video,
        "split_subtype": song.subtype,
    }
    if song.streams:
        description["audio_stream"] = song.stream + 1
        description["audio_streams"] = [dataclasses.asdict(stream) for stream in song.streams]
    tags = read_tags(song.path)
    description["tags"] = {field: "; ".join(values) for field, values in {**tags.fields, **tags.custom}.items()}
    description["cover_pictures"] = len(tags.pictures)
    description["chapters"] = len(tags.chapters)
    if estimated_model is not None:
        from ..inference.cost import split_cost

        cost = split_cost(song, estimated_model)
        description["split_time_s"] = cost.seconds
        description["split_size_bytes"] = cost.size
    return description


def _describe_music(path: pathlib.Path, stream: str | None) -> dict[str, Any]:
    from ..analysis import analyze_song

    found = analyze_song(path, stream)
    return {
        "key": None if found.key is None else found.key.name,
        "key_confidence": round(found.key_confidence, 2),
        "tempo_bpm": None if found.bpm is None else round(found.bpm, 1),
        "tempo_confidence": round(found.tempo_confidence, 2),
    }
