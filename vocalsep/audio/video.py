"""Replace the sound of a video and leave its picture untouched (PyAV)."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

from ..errors import OutputError
from .container import QuietFile, open_container
from .formats import FORMATS, Format

# WebM holds Opus; everything else that players read holds AAC.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}


def video_suffix(path: pathlib.Path) -> str:
    """Suffix of the karaoke video of a video file: its own where we write that container, else ``.mkv``."""
    suffix = path.suffix.lower()
    return suffix if suffix in CONTAINERS else ".mkv"


def audio_format(suffix: str) -> Format:
    """The format of the sound that goes into a video of this suffix."""
    return FORMATS["opus" if suffix == ".webm" else "m4a"]


def replace_audio(video: pathlib.Path, audio: pathlib.Path, target: pathlib.Path, title: str) -> None:
    """Write `target` with the pictures and subtitles of `video`, packet by packet, and the sound of `audio`.

    The sound starts where the first sound of `video` starts.

    Raises
    ------
    OutputError
        The container cannot hold these streams, or cannot be written.
    """
    import av

    try:
        with (
            video.open("rb") as film,
            audio.open("rb") as track,
            open_container(QuietFile(film)) as pictures,
            open_container(QuietFile(track)) as sound,
            target.open("wb") as file,
        ):
            container = CONTAINERS[target.suffix.lower()]
            quiet = QuietFile(file)
            with av.open(quiet, "w", format=container, options={"fflags": "+bitexact"}) as out:
                _remux(pictures, sound, out, title)
            if quiet.error is not None:
                raise quiet.error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise OutputError(f"cannot put the sound into a {target.suffix} video: {error}") from None


def _remux(pictures: Any, sound: Any, out: Any, title: str) -> None:
    out.metadata.update(pictures.metadata)
    out.metadata["title"] = title
    kept = [s for s in pictures.streams if s.type in ("video", "subtitle")]
    streams = {stream: out.add_stream_from_template(stream) for stream in kept}
    for stream, copy in streams.items():
        copy.metadata.update(stream.metadata)
        copy.disposition = stream.disposition
    spoken = sound.streams.audio[0]
    voice = out.add_stream_from_template(spoken)
    original = pictures.streams.audio[0]
    start = float((original.start_time or 0) * original.time_base)
    delay = round(start / spoken.time_base)
    merged = _in_order(_packets(pictures, streams), _packets(sound, {spoken: voice}, delay))
    for packet in merged:
        out.mux(packet)


def _packets(container: Any, streams: dict[Any, Any], delay: int = 0) -> Iterator[tuple[float, Any]]:
    """Yield time and packet of each stream, bound for its copy and `delay` ticks late."""
    for packet in container.demux(*streams):
        if packet.dts is not None:
            if delay:
                packet.pts += delay
                packet.dts += delay
            packet.stream = streams[packet.stream]
            yield float(packet.dts * packet.time_base), packet


def _in_order(one: Iterator[tuple[float, Any]], other: Iterator[tuple[float, Any]]) -> Iterator[Any]:
    left, right = next(one, None), next(other, None)
    while left is not None or right is not None:
        if left is not None and (right is None or left[0] <= right[0]):
            yield left[1]
            left = next(one, None)
        elif right is not None:
            yield right[1]
            right = next(other, None)
