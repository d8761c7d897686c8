"""Replace one sound of a video and copy everything else, packet by packet (PyAV)."""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
import io
import pathlib
from collections.abc import Iterator
from typing import Any

from ..errors import AudioError, OutputError
from .container import QuietFile, is_cover, open_container
from .formats import FORMATS, Format
from .selection import audio_streams, chosen_stream

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
ANY, ANY_MUXER = ".mkv", "matroska"
MP4 = ("mp4", "mov", "3gp", "3g2", "f4v")
# Containers whose clock starts anywhere, and may start anew within the file.
FREE_CLOCKS = ("mpegts", "mpeg")
CHAPTERED = (*MP4, ANY_MUXER, "webm")
# Those that say which samples of an encoder's first packet are not heard.
TRIMMED = (*MP4, "webm")
PICTURES = {b"\xff\xd8": "jpeg", b"\x89PNG": "png", b"GIF8": "gif", b"BM": "bmp", b"RIFF": "webp"}
# The packets of transport streams begin with this byte; those of cameras with four bytes of time before it.
TS_SYNC, CAMERA_PACKET = b"G", 192
# Streams without pauses of their own.
SOLID = ("video", "audio")
# A step back of this many seconds is a clock that starts anew, and so is one ahead that is longer than any pause.
RESTART_S, LONGEST_GAP_S = 1.0, 600.0
# What containers round times to.
ROUNDED_S = 0.0005
# What the muxer says itself, and what is wrong of a sound that was replaced.
CONTAINER_KEYS = ("major_brand", "minor_version", "compatible_brands")
SOUND_KEYS = ("bps", "number_of_", "duration", "_statistics", "encoder", "vendor_id")


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
        Whether the muxer is reached through another one, see `_written`.
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
        The audio stream that is replaced, see `chosen_stream`.
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
        with path.open("rb") as file, open_container(QuietFile(file)) as film:
            if not film.streams.audio:
                raise AudioError("holds no audio")
            sound = film.streams.audio[chosen_stream(audio_streams(film), stream, path)]
            covers = {one.index for one in film.streams.video if is_cover(QuietFile(file), one)}
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
            open_container(QuietFile(film)) as pictures,
            open_container(QuietFile(track)) as sound,
            target.open("w+b") as file,
        ):
            quiet = QuietFile(file)
            with _written(quiet, plan, target, _options(pictures, video, plan.muxer)) as out:
                _remux(pictures, sound, out, title, plan, _start(video, plan.sound), _covers(video))
            if quiet.error is not None:
                raise quiet.error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise OutputError(f"cannot put the sound into a {plan.suffix} video: {error}") from None


def _plan(film: Any, sound: int, suffix: str, own: str) -> VideoPlan:
    """Try each stream in a container of this suffix."""
    muxer = CONTAINERS[suffix]
    copied, lost, wrapped = [], [], False
    for stream in film.streams:
        if stream.index == sound or _written_anew(film, stream, muxer):
            continue
        if _is_attached(stream, muxer):
            copied.append((stream.index, False))
            continue
        ways = [(way, tag) for way in (False, True) for tag in (True, False)]
        found = next((way for way in ways if _takes([(stream, way[1])], muxer, way[0])), None)
        # Matroska holds old codecs by their tags from AVI, which PyAV refuses to write there.
        if found is None or (found[0] and muxer != ANY_MUXER):
            lost.append(f"{stream.type} stream {stream.index} ({_codec(stream)})")
            continue
        wrapped = wrapped or found[0]
        copied.append((stream.index, found[1]))
    together = [(film.streams[index], tag) for index, tag in copied if not _is_attached(film.streams[index], muxer)]
    if together and not _takes(together, muxer, wrapped):
        copied = []
    remarks = []
    if suffix != own:
        why = "cannot take all of its streams" if own in CONTAINERS else "can be read but not written"
        remarks.append(f"written as {suffix}: {own or 'a file without suffix'} {why}")
    if lost:
        remarks.append(f"{suffix} cannot hold {', '.join(lost)}: left out")
    if film.chapters() and (wrapped or muxer not in CHAPTERED):
        remarks.append(f"its {len(film.chapters())} chapters cannot be kept in {suffix}: left out")
    return VideoPlan(suffix, sound, tuple(copied), wrapped, tuple(remarks))


def _takes(streams: list[tuple[Any, bool]], muxer: str, wrapped: bool) -> bool:
    """Whether a container can hold these streams, with or without their tags: its header is written to memory."""
    import av

    taken = False
    with contextlib.suppress(av.error.FFmpegError, ValueError), _opened(io.BytesIO(), muxer, wrapped) as out:
        for stream, tagged in streams:
            _add(out, stream, tagged)
        out.start_encoding()
        taken = True
    return taken


def _opened(file: Any, muxer: str, wrapped: bool, options: dict[str, str] | None = None, again: Any = None) -> Any:
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


@contextlib.contextmanager
def _written(quiet: QuietFile, plan: VideoPlan, target: pathlib.Path, options: dict[str, str]) -> Iterator[Any]:
    opened: list[Any] = []

    def again(*_: object) -> QuietFile:
        quiet.file.flush()
        opened.append(target.open("rb"))
        return QuietFile(opened[-1])

    try:
        with _opened(quiet, plan.muxer, plan.wrapped, options, again if plan.muxer in MP4 else None) as out:
            yield out
    finally:
        for file in opened:
            file.close()


def _options(pictures: Any, video: pathlib.Path, muxer: str) -> dict[str, str]:
    """Return options of the muxer that keep what a video is like."""
    if muxer in (ANY_MUXER, "webm"):
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


def _add(out: Any, stream: Any, tagged: bool) -> Any:
    copy = out.add_stream_from_template(stream, opaque=True)
    if tagged and copy.codec_context is not None:
        copy.codec_context.codec_tag = stream.codec_context.codec_tag
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


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
            copy = voices[voice] = _add(out, voice, False)
            copy.metadata.clear()
            copy.metadata.update(
                {key: value for key, value in stream.metadata.items() if not key.lower().startswith(SOUND_KEYS)}
            )
            copy.disposition = stream.disposition
        elif stream.index in tagged and _is_attached(stream, plan.muxer):
            _attach(out, stream, stream.data if stream.type == "attachment" else covers[stream.index])
            continue
        elif stream.index in tagged:
            copy = copies[stream] = _add(out, stream, tagged[stream.index])
        else:
            continue
        if plan.muxer == "mpegts":
            copy.id = stream.id
    free = _is_of(pictures, FREE_CLOCKS)
    # Other containers begin at 0.
    begin = (pictures.start_time or 0) / 1e6 if free and plan.muxer not in FREE_CLOCKS else 0.0
    film = _timed(pictures, copies, -begin, restarts=free)
    # Elsewhere all else would be later by the packet that an AAC encoder needs to start.
    track = _timed(sound, voices, start - begin, positive=plan.muxer not in TRIMMED)
    for _, packet in heapq.merge(film, track, key=lambda pair: pair[0]):
        out.mux(packet)


def _new_sound_first(pictures: Any, sound: int) -> list[Any]:
    """Return all streams in their order, save that `sound` comes before the other audio streams.

    Many players take the first, whatever is marked as default.
    """
    sounds = iter(sorted(pictures.streams.audio, key=lambda stream: stream.index != sound))
    return [next(sounds) if stream.type == "audio" else stream for stream in pictures.streams]


def _timed(
    container: Any, copies: dict[Any, Any], shift: float, *, restarts: bool = False, positive: bool = False
) -> Iterator[tuple[float, Any]]:
    """Yield time and packet of each stream in turn, bound for its copy, and later by `shift` seconds.

    Where the clock `restarts`, what follows goes on where the stream was. Where times must be `positive`, earlier
    packets are left out.
    """
    clock = _Clock(shift, restarts)
    for packet in container.demux(*copies) if copies else ():
        if packet.size or packet.dts is not None or packet.pts is not None:
            copy = copies[packet.stream]
            time = clock.set(packet)
            packet.stream = copy
            if time > -ROUNDED_S or not positive:
                yield time, packet


class _Clock:
    """Puts packets in time: later, one after another, and none decoded after it is shown."""

    def __init__(self, shift: float, restarts: bool):
        self.restarts = restarts
        # How much later than they say packets are: from the beginning, and after each new start of their clock.
        self.shifts = [shift]
        self.ends: dict[Any, float] = {}
        self.last: dict[Any, int] = {}

    def set(self, packet: Any) -> float:
        """Set a packet's time stamps and return its time in seconds."""
        stream = packet.stream
        base = float(stream.time_base)
        end = self.ends.get(stream, max(self.ends.values(), default=None))
        if packet.dts is None and packet.pts is None:
            packet.pts = packet.dts = round(((end or 0.0) - self.shifts[-1]) / base)
        time = (packet.pts if packet.dts is None else packet.dts) * base
        shift = self._shift(time, end, stream.type in SOLID)
        ticks = round(shift / base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        self._order(packet, stream)
        self.ends[stream] = max(self.ends.get(stream, 0.0), time + shift + (packet.duration or 0) * base)
        return time + shift

    def _shift(self, time: float, end: float | None, solid: bool) -> float:
        if not self.restarts or end is None:
            return self.shifts[-1]
        # Streams meet a new start one after another.
        shift = min(self.shifts[-2:], key=lambda one: abs(time + one - end))
        if solid and not -RESTART_S < time + shift - end < LONGEST_GAP_S:
            shift = end - time
            self.shifts.append(shift)
        return shift

    def _order(self, packet: Any, stream: Any) -> None:
        if packet.dts is None:
            return
        lowest = self.last[stream] + int(stream.type in SOLID) if stream in self.last else None
        if lowest is not None:
            packet.dts = max(packet.dts, lowest)
        if packet.pts is not None and packet.pts < packet.dts:
            packet.dts = packet.pts if lowest is None else max(packet.pts, lowest)
            packet.pts = packet.dts
        self.last[stream] = packet.dts


def _start(video: pathlib.Path, index: int) -> float:
    """When the first sample of a stream is heard, in seconds of its container's clock."""
    import av

    with video.open("rb") as file, open_container(QuietFile(file)) as container:
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
    with video.open("rb") as file, open_container(QuietFile(file)) as container:
        marked = [stream for stream in container.streams.video if _is_attached(stream, ANY_MUXER)]
        for packet in container.demux(*marked) if marked else ():
            found.setdefault(packet.stream.index, bytes(packet))
            if len(found) == len(marked):
                break
    return found


def _is_attached(stream: Any, muxer: str) -> bool:
    """Whether a stream is attached to the file as a whole: Matroska has files for that, others a stream."""
    marked = stream.type == "video" and stream.disposition & stream.disposition.attached_pic
    return muxer == ANY_MUXER and bool(marked or stream.type == "attachment")


def _is_of(container: Any, muxers: tuple[str, ...]) -> bool:
    """Whether an open container's format is one of these."""
    return not set(muxers).isdisjoint(container.format.name.split(","))


def _written_anew(film: Any, stream: Any, muxer: str) -> bool:
    """Whether a stream is one that the muxer makes itself: the chapters' titles, and the timecode of the picture."""
    if stream.type != "data" or muxer not in MP4 or not _is_of(film, MP4):
        return False
    return "timecode" in stream.metadata or (stream.name == "bin_data" and bool(film.chapters()))


def _codec(stream: Any) -> str:
    if stream.codec_context is not None:
        return str(stream.codec_context.codec.canonical_name)
    return getattr(stream, "name", None) or stream.metadata.get("filename") or "unknown"
