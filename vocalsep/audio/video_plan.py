"""Choose the container of a karaoke video and the streams that it can hold (PyAV)."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import pathlib
from typing import Any

from ..errors import AudioError, OutputError
from .container import AvioFile, is_cover, open_container
from .formats import FORMATS, Format
from .selection import audio_streams, select_stream
from .unsupported import NO_AUDIO

# By suffix: FFmpeg's name of the container. WebM gets Opus sound, all others AAC.
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mp4v": "mp4",
    ".f4v": "f4v",
    ".3gp": "3gp",
    ".3gpp": "3gp",
    ".3g2": "3g2",
    ".3gp2": "3g2",
    ".mov": "mov",
    ".qt": "mov",
    ".mkv": "matroska",
    ".mk3d": "matroska",
    ".webm": "webm",
    ".flv": "flv",
    ".ts": "mpegts",
    ".m2ts": "mpegts",
    ".mts": "mpegts",
    ".m2t": "mpegts",
}
# Matroska holds nearly every codec.
FALLBACK_SUFFIX, FALLBACK_MUXER = ".mkv", "matroska"
MP4 = ("mp4", "mov", "3gp", "3g2", "f4v")
# Containers whose timestamps start at any time, and may restart within the file.
ARBITRARY_START = ("mpegts", "mpeg")
# PyAV that writes the timecode of a picture.
KEEPS_TIMECODE = (18, 1)
WITH_CHAPTERS = (*MP4, FALLBACK_MUXER, "webm")


@dataclasses.dataclass(frozen=True)
class VideoPlan:
    """How a karaoke video is written.

    Parameters
    ----------
    suffix : str
        Of the container.
    sound : int
        Index of the stream whose sound is replaced.
    copied : tuple of (int, bool)
        Index of each stream that is copied, and whether it keeps its codec tag.
    wrapped : bool
        Whether the muxer is opened through the tee muxer, see `open_output`.
    remarks : tuple of str
        What cannot be kept, and why.
    """

    suffix: str
    sound: int
    copied: tuple[tuple[int, bool], ...]
    wrapped: bool
    remarks: tuple[str, ...]

    @property
    def muxer(self) -> str:
        """FFmpeg's name of the container."""
        return CONTAINERS[self.suffix]


def audio_format(suffix: str) -> Format:
    """Return the audio format of a video container, by its suffix."""
    return FORMATS["opus" if suffix == ".webm" else "m4a"]


def plan_video(path: pathlib.Path, stream: int | str | None = None, suffix: str | None = None) -> VideoPlan:
    """Choose the container for a copy of a video: its own where that holds the streams, else Matroska.

    Parameters
    ----------
    path : pathlib.Path
    stream : int, str or None
        Audio stream to replace, see `select_stream`.
    suffix : str, optional
        Consider only the container with this suffix.

    Raises
    ------
    AudioError
        The file cannot be read, or has no such stream.
    OutputError
        No container can hold its picture.
    """
    import av

    own = path.suffix.lower()
    keeps_own = own in CONTAINERS and own != FALLBACK_SUFFIX
    suffixes = [suffix] if suffix else [own, FALLBACK_SUFFIX] if keeps_own else [FALLBACK_SUFFIX]
    try:
        with path.open("rb") as file, open_container(AvioFile(file)) as video:
            if not video.streams.audio:
                raise AudioError(NO_AUDIO, path=path)
            sound = video.streams.audio[select_stream(audio_streams(video), stream, path)]
            covers = {one.index for one in video.streams.video if is_cover(AvioFile(file), one)}
            plans = [_plan(video, sound.index, one, own) for one in suffixes]
            pictures = {one.index for one in video.streams.video} - covers
    except OSError as error:
        raise AudioError(f"cannot be read: {(error.strerror or str(error)).lower()}", path=path) from None
    except av.error.FFmpegError:
        raise AudioError("is no video, or one too damaged to open", path=path) from None
    fit = [plan for plan in plans if pictures <= {index for index, _ in plan.copied}]
    if not fit:
        raise OutputError(
            "its picture is of a kind that cannot be copied", path=path, hint="the format wav gives the sound alone"
        )
    # Of two plans that keep equally many streams, the first has the container of the file.
    return max(fit, key=lambda plan: len(plan.copied))


def open_output(file: Any, muxer: str, wrapped: bool, options: dict[str, str] | None = None, reopen: Any = None) -> Any:
    """Open a container for writing.

    PyAV refuses codecs that FFmpeg does not list for a muxer. The tee muxer accepts all and passes them to the muxer
    that it wraps.

    Parameters
    ----------
    file : binary file
    muxer : str
        FFmpeg's name of the container.
    wrapped : bool
        Write through the tee muxer.
    options : dict, optional
        Of the muxer.
    reopen : callable, optional
        Opens the file for reading, which is needed to move the index to the front.
    """
    import av

    # Without dates and random numbers the same video gives the same file.
    settings = {**(options or {}), "fflags": "+bitexact"}
    if not wrapped:
        return av.open(file, "w", format=muxer, container_options=settings, io_open=reopen)
    arguments = ":".join(f"{key}={value}" for key, value in settings.items())
    return av.open(f"[f={muxer}:{arguments}]video", "w", format="tee", io_open=lambda *_: file)


def add(out: Any, stream: Any, tagged: bool) -> Any:
    """Add a copy of a stream to an output, with its own codec tag or the usual one of the container."""
    copy = out.add_stream_from_template(stream, opaque=True)
    if tagged and copy.codec_context is not None:
        copy.codec_context.codec_tag = stream.codec_context.codec_tag
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


def is_attached(stream: Any, muxer: str) -> bool:
    """Return whether a stream is written as an attached file: covers and attachments in Matroska."""
    marked = stream.type == "video" and stream.disposition & stream.disposition.attached_pic
    return muxer == FALLBACK_MUXER and bool(marked or stream.type == "attachment")


def has_format(container: Any, muxers: tuple[str, ...]) -> bool:
    """Return whether the format of an open container is one of these."""
    return not set(muxers).isdisjoint(container.format.name.split(","))


def _plan(video: Any, sound: int, suffix: str, own: str) -> VideoPlan:
    """Test which streams the container of this suffix can hold."""
    muxer = CONTAINERS[suffix]
    copied, lost, wrapped = [], [], False
    for stream in video.streams:
        if stream.index == sound or _is_generated(video, stream, muxer):
            continue
        if is_attached(stream, muxer):
            copied.append((stream.index, False))
            continue
        ways = [(way, tag) for way in (False, True) for tag in (True, False)]
        choice = next((way for way in ways if _can_hold([(stream, way[1])], muxer, way[0])), None)
        # Matroska holds old codecs by their tags from AVI, which PyAV refuses to write there.
        if choice is None or (choice[0] and muxer != FALLBACK_MUXER):
            lost.append(f"{stream.type} stream {stream.index} ({_codec(stream)})")
            continue
        wrapped = wrapped or choice[0]
        copied.append((stream.index, choice[1]))
    together = [(video.streams[index], tag) for index, tag in copied if not is_attached(video.streams[index], muxer)]
    if together and not _can_hold(together, muxer, wrapped):
        copied = []
    remarks = []
    if suffix != own:
        why = "cannot take all of its streams" if own in CONTAINERS else "can be read but not written"
        remarks.append(f"written as {suffix}: {own or 'a file without suffix'} {why}")
    if lost:
        remarks.append(f"{suffix} cannot hold {', '.join(lost)}: left out")
    if video.chapters() and (wrapped or muxer not in WITH_CHAPTERS):
        remarks.append(f"its {len(video.chapters())} chapters cannot be kept in {suffix}: left out")
    if muxer in MP4 and _version() < KEEPS_TIMECODE and any("timecode" in one.metadata for one in video.streams.video):
        remarks.append("its timecode is lost; version 18.1 or later of the package av keeps it")
    return VideoPlan(suffix, sound, tuple(copied), wrapped, tuple(remarks))


def _can_hold(streams: list[tuple[Any, bool]], muxer: str, wrapped: bool) -> bool:
    """Return whether a container can hold these streams, with or without their codec tags.

    Its header is written to memory to find out.
    """
    import av

    accepted = False
    with contextlib.suppress(av.error.FFmpegError, ValueError), open_output(io.BytesIO(), muxer, wrapped) as out:
        for stream, tagged in streams:
            add(out, stream, tagged)
        out.start_encoding()
        accepted = True
    return accepted


def _is_generated(video: Any, stream: Any, muxer: str) -> bool:
    """Return whether the muxer generates a stream by itself: titles of chapters, and the timecode of the picture."""
    if stream.type != "data" or muxer not in MP4 or not has_format(video, MP4):
        return False
    return "timecode" in stream.metadata or (stream.name == "bin_data" and bool(video.chapters()))


def _version() -> tuple[int, ...]:
    import av

    return tuple(int(number) for number in av.__version__.split(".")[:2])


def _codec(stream: Any) -> str:
    if stream.codec_context is not None:
        return str(stream.codec_context.codec.canonical_name)
    return getattr(stream, "name", None) or stream.metadata.get("filename") or "unknown"
