"""Replace one sound of a video and copy everything else, packet by packet (PyAV)."""

from __future__ import annotations

import contextlib
import heapq
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import OutputError
from .container import AvioFile, open_container
from .packet_clock import retimed_packets
from .video_plan import ARBITRARY_START, FALLBACK_MUXER, MP4, VideoPlan, add, has_format, is_attached, open_output

# Containers that store how many samples of the first packet are skipped.
TRIMMED = (*MP4, "webm")
PICTURES = {b"\xff\xd8": "jpeg", b"\x89PNG": "png", b"GIF8": "gif", b"BM": "bmp", b"RIFF": "webp"}
# First byte of the packets of transport streams; in those of cameras 4 bytes of time precede it.
TS_SYNC, CAMERA_PACKET = b"G", 192
# Metadata that the muxer writes itself, and metadata of the replaced sound that is not valid any more.
CONTAINER_KEYS = ("major_brand", "minor_version", "compatible_brands")
SOUND_KEYS = ("bps", "number_of_", "duration", "_statistics", "encoder", "vendor_id")


def replace_audio(
    video: pathlib.Path,
    audio: pathlib.Path,
    target: pathlib.Path,
    title: str,
    plan: VideoPlan,
    check: Callable[[], None] | None = None,
) -> None:
    """Copy a video packet by packet, and replace one of its audio streams.

    The new sound starts at the time of the first sample of the stream that it replaces.

    Parameters
    ----------
    video : pathlib.Path
    audio : pathlib.Path
        File with the new sound, in the codec of the container.
    target : pathlib.Path
        File to write.
    title : str
    plan : VideoPlan
    check : callable, optional
        Called with each packet; an exception that it raises ends the work.

    Raises
    ------
    OutputError
        The container cannot hold these streams, or cannot be written.
    """
    import av

    try:
        with (
            video.open("rb") as video_file,
            audio.open("rb") as audio_file,
            open_container(AvioFile(video_file)) as pictures,
            open_container(AvioFile(audio_file)) as sound,
            target.open("w+b") as file,
        ):
            avio = AvioFile(file)
            options = _options(pictures, video, plan.muxer)
            with open_target(avio, plan.muxer, plan.wrapped, target, options) as out:
                _remux(pictures, sound, out, title, plan, first_sample_time(video, plan.sound), _covers(video), check)
            if avio.error is not None:
                raise avio.error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise OutputError(f"cannot put the sound into a {plan.suffix} video: {error}") from None


@contextlib.contextmanager
def open_target(
    avio: AvioFile, muxer: str, wrapped: bool, target: pathlib.Path, options: dict[str, str]
) -> Iterator[Any]:
    """Open a video for writing, as `open_output`, so that its index can be moved to the front.

    Parameters
    ----------
    avio : AvioFile
        Of the open file.
    muxer, wrapped, options
        See `open_output`.
    target : pathlib.Path
        The file's path.
    """
    opened: list[Any] = []

    def reopen(*_: object) -> AvioFile:
        avio.file.flush()
        opened.append(target.open("rb"))
        return AvioFile(opened[-1])

    try:
        with open_output(avio, muxer, wrapped, options, reopen if muxer in MP4 else None) as out:
            yield out
    finally:
        for file in opened:
            file.close()


def _options(pictures: Any, video: pathlib.Path, muxer: str) -> dict[str, str]:
    """Return options of the muxer that preserve properties of the video."""
    if muxer in (FALLBACK_MUXER, "webm"):
        # Keep the default marks of the streams.
        return {"default_mode": "passthrough"}
    if muxer == "mpegts":
        with video.open("rb") as file:
            head = file.read(2 * CAMERA_PACKET)
        return {"mpegts_m2ts_mode": str(int(head[4:5] == head[4 + CAMERA_PACKET :][:1] == TS_SYNC))}
    if muxer in MP4:
        # Players on the web need the index at the front. Keys such as the location of a phone's recording need a kind
        # of tags of their own.
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
    pictures: Any,
    sound: Any,
    out: Any,
    title: str,
    plan: VideoPlan,
    start: float,
    covers: dict[int, bytes],
    check: Callable[[], None] | None,
) -> None:
    out.metadata.update({key: value for key, value in pictures.metadata.items() if key not in CONTAINER_KEYS})
    out.metadata["title"] = title
    out.set_chapters(pictures.chapters())
    keeps_tag = dict(plan.copied)
    new_sound = sound.streams.audio[0]
    copies, sound_copies = {}, {}
    for stream in _new_sound_first(pictures, plan.sound):
        if stream.index == plan.sound:
            copy = sound_copies[new_sound] = add(out, new_sound, False)
            copy.metadata.clear()
            copy.metadata.update(
                {key: value for key, value in stream.metadata.items() if not key.lower().startswith(SOUND_KEYS)}
            )
            copy.disposition = stream.disposition
        elif stream.index in keeps_tag and is_attached(stream, plan.muxer):
            _attach(out, stream, stream.data if stream.type == "attachment" else covers[stream.index])
            continue
        elif stream.index in keeps_tag:
            copy = copies[stream] = add(out, stream, keeps_tag[stream.index])
        else:
            continue
        if plan.muxer == "mpegts":
            copy.id = stream.id
    arbitrary_start = has_format(pictures, ARBITRARY_START)
    # Timestamps of other containers begin at 0.
    begin = (pictures.start_time or 0) / 1e6 if arbitrary_start and plan.muxer not in ARBITRARY_START else 0.0
    video_packets = retimed_packets(pictures, copies, -begin, restarts=arbitrary_start)
    # In other containers the first packet of the AAC encoder would delay all other streams.
    sound_packets = retimed_packets(sound, sound_copies, start - begin, positive=plan.muxer not in TRIMMED)
    for _, packet in heapq.merge(video_packets, sound_packets, key=lambda pair: pair[0]):
        if check is not None:
            check()
        out.mux(packet)


def _new_sound_first(pictures: Any, sound: int) -> list[Any]:
    """Return all streams in order, but with the replaced audio stream before the other ones.

    Many players play the first stream, whichever is marked as default.
    """
    sounds = iter(sorted(pictures.streams.audio, key=lambda stream: stream.index != sound))
    return [next(sounds) if stream.type == "audio" else stream for stream in pictures.streams]


def first_sample_time(video: pathlib.Path, index: int) -> float:
    """Return the time of the first sample of a stream, in seconds of the container's clock."""
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
    """Return the pictures of the streams that are marked as covers, by index of the stream."""
    covers: dict[int, bytes] = {}
    with video.open("rb") as file, open_container(AvioFile(file)) as container:
        marked = [stream for stream in container.streams.video if is_attached(stream, FALLBACK_MUXER)]
        for packet in container.demux(*marked) if marked else ():
            covers.setdefault(packet.stream.index, bytes(packet))
            if len(covers) == len(marked):
                break
    return covers
