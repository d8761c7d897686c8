"""`vocalsep models` and `vocalsep info`."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, session

if TYPE_CHECKING:
    from ..audio.source import SourceInfo


def models(as_json: options.Json = False) -> None:
    """List the models that ship with vocalsep."""
    from ..model_files import registry

    with session.one_line_errors():
        described = [_describe_model(name, path) for name, path in registry.shipped().items()]
        if as_json:
            typer.echo(json.dumps(described, indent=2))
            return
        for model in described:
            typer.echo(f"{model['name']}{' (default)' if model['name'] == registry.DEFAULT else ''}")
            for key, value in model.items():
                if key != "name":
                    typer.echo(f"  {_label(key):<12} {_readable(key, value)}")


def info(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A song, a video or a model file.")],
    model: options.Model = "default",
    as_json: options.Json = False,
    audio_stream: options.AudioStream = None,
) -> None:
    """Say what a file is, and what splitting it would take here."""
    from ..audio.decoding import open_source
    from ..audio.selection import AudioStream
    from ..errors import AudioError
    from ..model_files import registry

    with session.one_line_errors():
        path = session.on_this_machine(file)
        if path.suffix in (registry.SUFFIX, registry.EXPORTED_SUFFIX):
            from ..inference.cost import network_flops
            from ..inference.opening import model_info

            said = {**_describe_model(path.stem, path), "flops": network_flops(model_info(path).config)}
        else:
            try:
                with open_source(path, stream=audio_stream) as source:
                    said = _describe_song(source.info, model)
            except AudioError as error:
                raise error.about(file) from None
        if as_json:
            typer.echo(json.dumps(said, indent=2))
            return
        taken = said.pop("audio_stream", 0)
        for stream in said.pop("audio_streams", ()):
            known = f"{stream['codec']}, {', '.join(AudioStream(**stream).known)}"
            said[f"audio stream {stream['number']}"] = known + ", taken" * (stream["number"] == taken)
        for key, value in said.items():
            typer.echo(f"{_label(key):<16} {_readable(key, value)}")


def _describe_model(name: str, path: pathlib.Path) -> dict[str, Any]:
    from ..inference.opening import model_info
    from ..model_files import registry

    model = model_info(path)
    front_end = model.config.front_end
    return {
        "name": name,
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "parameters": model.parameters,
        "architecture": model.config.architecture,
        "sample_rate": front_end.sample_rate,
        "window": f"{front_end.n_fft} samples, hop {front_end.hop}, {front_end.bins} bins",
        "licence": model.card.get("licence", "not stated"),
        "trained_on": model.card.get("trained_on", "not stated"),
        "figures": model.card.get("figures", {}),
        "sha256": registry.checksum(path),
    }


def _describe_song(song: SourceInfo, model: str) -> dict[str, Any]:
    from ..inference.cost import split_cost
    from ..tags import read_tags

    said: dict[str, Any] = {
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
        said["audio_stream"] = song.stream + 1
        said["audio_streams"] = [dataclasses.asdict(stream) for stream in song.streams]
    tags = read_tags(song.path)
    said["tags"] = {field: "; ".join(values) for field, values in {**tags.fields, **tags.custom}.items()}
    said["cover_pictures"] = len(tags.pictures)
    said["chapters"] = len(tags.chapters)
    cost = split_cost(song, model)
    said["split_time_s"] = cost.seconds
    said["split_size_bytes"] = cost.size
    return said


def _label(key: str) -> str:
    """The name of a value without its unit, which `_readable` shows."""
    return key.removesuffix("_s").removesuffix("_bytes").replace("_", " ")


def _readable(key: str, value: Any) -> str:
    if value is None:
        return "unknown"
    if key.endswith("_bytes"):
        return f"{value / 1e6:.1f} MB"
    if key.endswith("_s"):
        minutes, seconds = divmod(value, 60)
        return f"{int(minutes)}:{seconds:04.1f}"
    if key == "flops":
        return f"{value / 1e9:.2f} GFLOP per second of audio"
    if key == "sample_rate":
        return f"{value} Hz"
    if isinstance(value, dict):
        return ", ".join(f"{name} {held}" for name, held in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
