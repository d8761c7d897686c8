"""`vocalsep models` and `vocalsep info`."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AudioStream, Json, Model
from .paths import local_path

if TYPE_CHECKING:
    from ..audio.source import SourceInfo
    from ..inference.families.table import FamilyInfo
    from ..model_files.checkpoint import ModelInfo


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelsOptions:
    """The options of models."""

    as_json: Json = False


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


def models(options: ModelsOptions) -> None:
    """List the models that ship with vocalsep."""
    from ..model_files import registry

    descriptions = [_describe_model(name, path) for name, path in registry.shipped().items()]
    if options.as_json:
        typer.echo(json.dumps(descriptions, indent=2))
        return
    for description in descriptions:
        name = description["name"]
        typer.echo(f"{name}{' (default)' if name == registry.DEFAULT else ''}")
        for key, value in description.items():
            if key != "name":
                typer.echo(f"  {_label(key):<12} {_readable(key, value)}")


def info(options: InfoOptions) -> None:
    """Say what a song, a video or a model file is.

    With --estimate, also what splitting a song would take on this machine: the model is tried for some seconds. With
    --key-tempo, also the song's key and tempo, found in its first ten minutes.
    """
    from ..model_files import registry

    path = local_path(options.file)
    if path.suffix in (registry.SUFFIX, registry.EXPORTED_SUFFIX):
        description = _describe_model(path.stem, path)
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
        typer.echo(f"{_label(key):<16} {_readable(key, value)}")


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


def _describe_model(name: str, path: pathlib.Path) -> dict[str, Any]:
    from ..inference.opening import model_info
    from ..model_files import registry

    model = model_info(path)
    return {
        "name": name,
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "parameters": model.parameters,
        **_describe_network(model),
        "licence": model.card.get("licence", "not stated"),
        "trained_on": model.card.get("trained_on", "not stated"),
        "figures": model.card.get("figures", {}),
        "sha256": registry.checksum(path),
    }


def _describe_network(model: ModelInfo | FamilyInfo) -> dict[str, Any]:
    from ..inference.families.table import FAMILIES, FamilyInfo

    if isinstance(model, FamilyInfo):
        shape, rate = model.config.shape, model.config.sample_rate
        return {
            "architecture": FAMILIES[model.family].title,
            "sample_rate": rate,
            "segment": f"{shape.samples / rate:.2f} s, one every {shape.hop / rate:.2f} s",
            "sources": ", ".join(shape.sources),
        }
    front_end = model.config.front_end
    return {
        "architecture": model.config.architecture,
        "sample_rate": front_end.sample_rate,
        "window": f"{front_end.n_fft} samples, hop {front_end.hop}, {front_end.bins} bins",
    }


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


def _label(key: str) -> str:
    """Return the name of a value without its unit, which `_readable` shows."""
    return key.removesuffix("_s").removesuffix("_bytes").removesuffix("_bpm").replace("_", " ")


def _readable(key: str, value: Any) -> str:
    if value is None:
        return "unknown"
    if key.endswith("_bytes"):
        return f"{value / 1e6:.1f} MB"
    if key.endswith("_s"):
        minutes, seconds = divmod(value, 60)
        return f"{int(minutes)}:{seconds:04.1f}"
    if key.endswith("_bpm"):
        return f"{value} beats per minute"
    if key.endswith("_confidence"):
        return f"{value:.0%}"
    if key == "flops":
        return f"{value / 1e9:.2f} GFLOP per second of audio"
    if key == "sample_rate":
        return f"{value} Hz"
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
