"""Which container a karaoke video is written in, and what of the video it can hold (PyAV)."""

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

# WebM holds Opus; everything else that is written here holds AAC.
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
# Holds anything.
ANY, FALLBACK_MUXER = ".mkv", "matroska"
MP4 = ("mp4", "mov", "3gp", "3g2", "f4v")
# Containers whose clock starts anywhere, and may start anew within the file.
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
        Whether the muxer is reached through another one, see `open_output`.
    remarks : tuple of str
        What is lost, and why.
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
    """The format of the sound that goes into a video container of this suffix."""
    return FORMATS["opus" if suffix == ".webm" else "m4a"]


def plan_video(path: pathlib.Path, stream: int | str | None = None, suffix: str | None = None) -> VideoPlan:
    """Find the container that holds the streams of a video: its own where it can, else Matroska.

    Parameters
    ----------
    path : pathlib.Path
    stream : int, str or None
        The audio stream that is replaced, see `select_stream`.
    suffix : str, optional
        Of the only container to consider.

    Raises
    ------
    AudioError
        The file cannot be read, or has no such stream.
    OutputError
        No container holds its picture.
    """
    import av

    own = path.suffix.lower()
    suffixes = [suffix] if suffix else [own, ANY] if own in CONTAINERS and own != ANY else [ANY]
    try:
        with path.open("rb") as file, open_container(AvioFile(file)) as film:
            if not film.streams.audio:
                raise AudioError("holds no audio")
            sound = film.streams.audio[select_stream(audio_streams(film), stream, path)]
            covers = {one.index for one in film.streams.video if is_cover(AvioFile(file), one)}
            plans = [_plan(film, sound.index, one, own) for one in suffixes]
            pictures = {one.index for one in film.streams.video} - covers
    except OSError as error:
        raise AudioError(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    except av.error.FFmpegError:
        raise AudioError("is no video, or one too damaged to open") from None
    fit = [plan for plan in plans if pictures <= {index for index, _ in plan.copied}]
    if not fit:
        raise OutputError("its picture is of a kind that cannot be copied; --format wav gives the sound alone")
    # Of two that lose equally much the first is the file's own.
    return max(fit, key=lambda plan: len(plan.copied))


def open_output(file: Any, muxer: str, wrapped: bool, options: dict[str, str] | None = None, again: Any = None) -> Any:
    """Open a container for writing; `again` opens what is written for reading, as an index in front needs it.

    PyAV lets only those codecs into a container that it was made for. The tee muxer holds any, and hands them on to
    the muxer that it wraps.
    """
    import av

    # Without dates and random numbers the same video gives the same file.
    settings = {**(options or {}), "fflags": "+bitexact"}
    if not wrapped:
        return av.open(file, "w", format=muxer, container_options=settings, io_open=again)
    said = ":".join(f"{key}={value}" for key, value in settings.items())
    return av.open(f"[f={muxer}:{said}]video", "w", format="tee", io_open=lambda *_: file)


def add(out: Any, stream: Any, tagged: bool) -> Any:
    """Add a copy of a stream to an output, with its codec tag or with that which the container usually has."""
    copy = out.add_stream_from_template(stream, opaque=True)
    if tagged and copy.codec_context is not None:
        copy.codec_context.codec_tag = stream.codec_context.codec_tag
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


def is_attached(stream: Any, muxer: str) -> bool:
    """Whether a stream is attached to the file as a whole: Matroska has files for that, others a stream."""
    marked = stream.type == "video" and stream.disposition & stream.disposition.attached_pic
    return muxer == FALLBACK_MUXER and bool(marked or stream.type == "attachment")


def has_format(container: Any, muxers: tuple[str, ...]) -> bool:
    """Whether an open container's format is one of these."""
    return not set(muxers).isdisjoint(container.format.name.split(","))


def _plan(film: Any, sound: int, suffix: str, own: str) -> VideoPlan:
    """Try each stream in a container of this suffix."""
    muxer = CONTAINERS[suffix]
    copied, lost, wrapped = [], [], False
    for stream in film.streams:
        if stream.index == sound or _is_generated(film, stream, muxer):
            continue
        if is_attached(stream, muxer):
            copied.append((stream.index, False))
            continue
        ways = [(way, tag) for way in (False, True) for tag in (True, False)]
        found = next((way for way in ways if _can_hold([(stream, way[1])], muxer, way[0])), None)
        # Matroska holds old codecs by their tags from AVI, which PyAV refuses to write there.
        if found is None or (found[0] and muxer != FALLBACK_MUXER):
            lost.append(f"{stream.type} stream {stream.index} ({_codec(stream)})")
            continue
        wrapped = wrapped or found[0]
        copied.append((stream.index, found[1]))
    together = [(film.streams[index], tag) for index, tag in copied if not is_attached(film.streams[index], muxer)]
    if together and not _can_hold(together, muxer, wrapped):
        copied = []
    remarks = []
    if suffix != own:
        why = "cannot take all of its streams" if own in CONTAINERS else "can be read but not written"
        remarks.append(f"written as {suffix}: {own or 'a file without suffix'} {why}")
    if lost:
        remarks.append(f"{suffix} cannot hold {', '.join(lost)}: left out")
    if film.chapters() and (wrapped or muxer not in WITH_CHAPTERS):
        remarks.append(f"its {len(film.chapters())} chapters cannot be kept in {suffix}: left out")
    if muxer in MP4 and _version() < KEEPS_TIMECODE and any("timecode" in one.metadata for one in film.streams.video):
        remarks.append("its timecode is lost; version 18.1 or later of the package av keeps it")
    return VideoPlan(suffix, sound, tuple(copied), wrapped, tuple(remarks))


def _can_hold(streams: list[tuple[Any, bool]], muxer: str, wrapped: bool) -> bool:
    """Whether a container can hold these streams, with or without their tags: its header is written to memory."""
    import av

    taken = False
    with contextlib.suppress(av.error.FFmpegError, ValueError), open_output(io.BytesIO(), muxer, wrapped) as out:
        for stream, tagged in streams:
            add(out, stream, tagged)
        out.start_encoding()
        taken = True
    return taken


def _is_generated(film: Any, stream: Any, muxer: str) -> bool:
    """Whether a stream is one that the muxer makes itself: the chapters' titles, and the timecode of the picture."""
    if stream.type != "data" or muxer not in MP4 or not has_format(film, MP4):
        return False
    return "timecode" in stream.metadata or (stream.name == "bin_data" and bool(film.chapters()))


def _version() -> tuple[int, ...]:
    import av

    return tuple(int(number) for number in av.__version__.split(".")[:2])


def _codec(stream: Any) -> str:
    if stream.codec_context is not None:
        return str(stream.codec_context.codec.canonical_name)
    return getattr(stream, "name", None) or stream.metadata.get("filename") or "unknown"
