"""Replace one sound of a video and copy everything else, packet by packet (PyAV)."""

from __future__ import annotations

import contextlib
import heapq
import pathlib
from collections.abc import Iterator
from typing import Any

from ..errors import OutputError
from .container import AvioFile, open_container
from .packet_clock import retimed_packets
from .video_plan import ARBITRARY_START, FALLBACK_MUXER, MP4, VideoPlan, add, has_format, is_attached, open_output

# Those that say which samples of an encoder's first packet are not heard.
TRIMMED = (*MP4, "webm")
PICTURES = {b"\xff\xd8": "jpeg", b"\x89PNG": "png", b"GIF8": "gif", b"BM": "bmp", b"RIFF": "webp"}
# The packets of transport streams begin with this byte; those of cameras with four bytes of time before it.
TS_SYNC, CAMERA_PACKET = b"G", 192
# What the muxer says itself, and what is wrong of a sound that was replaced.
CONTAINER_KEYS = ("major_brand", "minor_version", "compatible_brands")
SOUND_KEYS = ("bps", "number_of_", "duration", "_statistics", "encoder", "vendor_id")


def replace_audio(video: pathlib.Path, audio: pathlib.Path, target: pathlib.Path, title: str, plan: VideoPlan) -> None:
    """Write `target` as a copy of `video`, packet by packet, with the sound of `audio`.

    The sound starts where the first sample of the one that it replaces starts.

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
            open_container(AvioFile(film)) as pictures,
            open_container(AvioFile(track)) as sound,
            target.open("w+b") as file,
        ):
            quiet = AvioFile(file)
            with _written(quiet, plan, target, _options(pictures, video, plan.muxer)) as out:
                _remux(pictures, sound, out, title, plan, _start(video, plan.sound), _covers(video))
            if quiet.error is not None:
                raise quiet.error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise OutputError(f"cannot put the sound into a {plan.suffix} video: {error}") from None


@contextlib.contextmanager
def _written(quiet: AvioFile, plan: VideoPlan, target: pathlib.Path, options: dict[str, str]) -> Iterator[Any]:
    opened: list[Any] = []

    def again(*_: object) -> AvioFile:
        quiet.file.flush()
        opened.append(target.open("rb"))
        return AvioFile(opened[-1])

    try:
        with open_output(quiet, plan.muxer, plan.wrapped, options, again if plan.muxer in MP4 else None) as out:
            yield out
    finally:
        for file in opened:
            file.close()


def _options(pictures: Any, video: pathlib.Path, muxer: str) -> dict[str, str]:
    """Return options of the muxer that keep what a video is like."""
    if muxer in (FALLBACK_MUXER, "webm"):
        # Which streams are marked as default is copied, not guessed.
        return {"default_mode": "passthrough"}
    if muxer == "mpegts":
        with video.open("rb") as file:
            head = file.read(2 * CAMERA_PACKET)
        return {"mpegts_m2ts_mode": str(int(head[4:5] == head[4 + CAMERA_PACKET :][:1] == TS_SYNC))}
    if muxer in MP4:
        # The index in front, as players on the web need it. Keys such as the place of a phone's recording are kept by
        # a kind of tags of its own.
        keys = any(key.startswith("com.") for key in pictures.metadata)
        brand = pictures.metadata.get("major_brand", "")
        options = {"movflags": "+faststart" + "+use_metadata_tags" * keys}
        return {**options, "brand": brand} if brand.startswith("M4V") else options
    return {}


def _attach(out: Any, stream: Any, data: bytes) -> None:
    named = {key.lower(): value for key, value in stream.metadata.items()}
    kind = next((kind for start, kind in PICTURES.items() if data.startswith(start)), "")
    name = named.get("filename") or (f"cover.{kind}" if kind else f"attachment {stream.index}")
    mimetype = named.get("mimetype") or (f"image/{kind}" if kind else "application/octet-stream")
    copy = out.add_attachment(name, mimetype, data)
    copy.metadata.update(stream.metadata)


def _remux(
    pictures: Any, sound: Any, out: Any, title: str, plan: VideoPlan, start: float, covers: dict[int, bytes]
) -> None:
    out.metadata.update({key: value for key, value in pictures.metadata.items() if key not in CONTAINER_KEYS})
    out.metadata["title"] = title
    out.set_chapters(pictures.chapters())
    tagged = dict(plan.copied)
    voice = sound.streams.audio[0]
    copies, voices = {}, {}
    for stream in _new_sound_first(pictures, plan.sound):
        if stream.index == plan.sound:
            copy = voices[voice] = add(out, voice, False)
            copy.metadata.clear()
            copy.metadata.update(
                {key: value for key, value in stream.metadata.items() if not key.lower().startswith(SOUND_KEYS)}
            )
            copy.disposition = stream.disposition
        elif stream.index in tagged and is_attached(stream, plan.muxer):
            _attach(out, stream, stream.data if stream.type == "attachment" else covers[stream.index])
            continue
        elif stream.index in tagged:
            copy = copies[stream] = add(out, stream, tagged[stream.index])
        else:
            continue
        if plan.muxer == "mpegts":
            copy.id = stream.id
    free = has_format(pictures, ARBITRARY_START)
    # Other containers begin at 0.
    begin = (pictures.start_time or 0) / 1e6 if free and plan.muxer not in ARBITRARY_START else 0.0
    film = retimed_packets(pictures, copies, -begin, restarts=free)
    # Elsewhere all else would be later by the packet that an AAC encoder needs to start.
    track = retimed_packets(sound, voices, start - begin, positive=plan.muxer not in TRIMMED)
    for _, packet in heapq.merge(film, track, key=lambda pair: pair[0]):
        out.mux(packet)


def _new_sound_first(pictures: Any, sound: int) -> list[Any]:
    """Return all streams in their order, save that `sound` comes before the other audio streams.

    Many players take the first, whatever is marked as default.
    """
    sounds = iter(sorted(pictures.streams.audio, key=lambda stream: stream.index != sound))
    return [next(sounds) if stream.type == "audio" else stream for stream in pictures.streams]


def _start(video: pathlib.Path, index: int) -> float:
    """When the first sample of a stream is heard, in seconds of its container's clock."""
    import av

    with video.open("rb") as file, open_container(AvioFile(file)) as container:
        stream = container.streams[index]
        for packet in container.demux(stream):
            with contextlib.suppress(av.error.InvalidDataError):
                for frame in packet.decode():
                    if frame.pts is not None:
                        return float(frame.pts * frame.time_base)
        return float((stream.start_time or 0) * stream.time_base)


def _covers(video: pathlib.Path) -> dict[int, bytes]:
    """Return the pictures of the streams that are marked as covers, by the streams' indices."""
    found: dict[int, bytes] = {}
    with video.open("rb") as file, open_container(AvioFile(file)) as container:
        marked = [stream for stream in container.streams.video if is_attached(stream, FALLBACK_MUXER)]
        for packet in container.demux(*marked) if marked else ():
            found.setdefault(packet.stream.index, bytes(packet))
            if len(found) == len(marked):
                break
    return found
