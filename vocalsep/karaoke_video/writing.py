"""Write karaoke videos: H.264 pictures, AAC sound that is copied, and subtitles, in an MP4 file (PyAV)."""

from __future__ import annotations

import contextlib
import heapq
import math
import pathlib
import struct
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from ..audio.container import AvioFile, open_container
from ..audio.packet_clock import retimed_packets
from ..audio.sink import write_error
from ..audio.video import open_target
from ..audio.video_plan import ARBITRARY_START, add, has_format
from .content import BURNT, SUBTITLES, MovingPicture, VideoContent, VideoSettings
from .drawing import Drawing, open_cover
from .fonts import choose_font
from .frames import Frame
from .pictures import PictureFormat, moving_frames, picture_format, picture_stream, still_frames
from .screens import Passage, find_passages, plan_screens

MUXER = "mp4"
CODEC = "libx264"
# Constant quality, at which edges of words are clean; a complete picture every few seconds, where players can begin.
QUALITY, PRESET, SEEK_S = "20", "veryfast", 5
BT709 = 1
SUBTITLE_CLOCK = Fraction(1, 1000)
# Styles that the encoder of subtitles makes its header of.
SUBTITLE_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, Alignment\n"
    b"Style: Default,Arial,18,&Hffffff,2\n\n"
    b"[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)
LONGEST_SUBTITLE = 60_000


def write_karaoke_video(
    target: pathlib.Path,
    sound: pathlib.Path,
    content: VideoContent,
    settings: VideoSettings,
    progress: Callable[[float], object] | None = None,
) -> list[str]:
    """Write a karaoke video; its sound is that of a finished file, sample by sample.

    Parameters
    ----------
    target : pathlib.Path
        An ``.mp4`` file, which is replaced.
    sound : pathlib.Path
        File with AAC sound, such as an ``.m4a``; its packets are copied.
    content : VideoContent
    settings : VideoSettings
    progress : callable, optional
        Called with the share that is done, 0 to 1. What it raises ends the writing, and leaves the file incomplete.

    Returns
    -------
    remarks : list of str
        What a person should know, such as characters that the font lacks.

    Raises
    ------
    ImportError
        Pillow is not installed, see `check_drawing`.
    AudioError
        The picture of the content cannot be decoded.
    OutputError
        The file cannot be written.
    """
    import av

    try:
        with (
            sound.open("rb") as sound_file,
            open_container(AvioFile(sound_file)) as source,
            target.open("w+b") as file,
        ):
            avio = AvioFile(file)
            with open_target(avio, MUXER, False, target, {"movflags": "+faststart"}) as out:
                remarks = _write(out, source, content, settings, progress or (lambda share: None))
            if avio.error is not None:
                raise avio.error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise write_error(target, error) from None
    return remarks


def _write(
    out: Any, sound: Any, content: VideoContent, settings: VideoSettings, progress: Callable[[float], object]
) -> list[str]:
    stream = sound.streams.audio[0]
    duration = float(stream.duration * stream.time_base)
    passages = find_passages(content.lyrics) if content.lyrics is not None else []
    remarks: list[str] = []
    with contextlib.ExitStack() as stack:
        # Streams in the usual order: picture, sound, words.
        copied = _copied_picture(out, content.picture, stack) if settings.words == SUBTITLES else None
        if copied is None:
            pictures, remarks = _new_pictures(out, content, settings, passages, duration)
        else:
            pictures = copied
        copy = add(out, stream, False)
        copy.metadata.clear()
        packets = [pictures, retimed_packets(sound, {stream: copy}, 0.0)]
        if settings.words == SUBTITLES and passages:
            packets.append(_subtitles(out, passages, duration))
        for time, packet in heapq.merge(*packets, key=lambda pair: pair[0]):
            out.mux(packet)
            progress(min(1.0, max(0.0, time / duration)))
    return remarks


def _copied_picture(
    out: Any, picture: MovingPicture | None, stack: contextlib.ExitStack
) -> Iterator[tuple[float, Any]] | None:
    """Return the packets of a picture that is H.264 already and keeps its times; None for another."""
    if picture is None or not picture.unchanged:
        return None
    file = AvioFile(stack.enter_context(picture.path.open("rb")))
    container = stack.enter_context(open_container(file))
    stream = picture_stream(container, file)
    if stream.codec_context is None or stream.codec_context.name != "h264":
        return None
    restarts = has_format(container, ARBITRARY_START)
    return retimed_packets(container, {stream: add(out, stream, False)}, -picture.sound_start_s, restarts=restarts)


def _new_pictures(
    out: Any, content: VideoContent, settings: VideoSettings, passages: Sequence[Passage], duration: float
) -> tuple[Iterator[tuple[float, Any]], list[str]]:
    remarks = []
    form = PictureFormat(settings.width, settings.height)
    if content.picture is not None:
        form = picture_format(content.picture.path)
    cover = open_cover(content.cover) if content.cover is not None and content.picture is None else None
    if content.cover is not None and content.picture is None and cover is None:
        remarks.append("its cover cannot be decoded: the background is plain")
    burnt = list(passages) if settings.words == BURNT else []
    texts = [content.title, content.artist, *(line.text for passage in burnt for line in passage.lines)]
    font = choose_font(texts, settings.font)
    if font.missing:
        some = " ".join(font.missing[:10])
        remarks.append(f"no font of this machine has {some}{' …' if len(font.missing) > 10 else ''}: shown as boxes")
    # Over a film whose words are subtitles nothing is drawn.
    titled = content.picture is None or settings.words == BURNT
    drawing = Drawing(form.width, form.height, font, burnt, content.title, content.artist, cover)
    # Words that are subtitles appear below the title's screen.
    screens = plan_screens(burnt, titled and bool(content.title or content.artist))
    stream = _h264_stream(out, form, still=content.picture is None)
    if content.picture is None:
        frames = still_frames(drawing, burnt, screens, form.rate)
    else:
        frames = moving_frames(drawing, burnt, screens, content.picture, form)
    return _encoded(stream, frames, form.rate, math.ceil(duration * form.rate)), remarks


def _h264_stream(out: Any, form: PictureFormat, still: bool) -> Any:
    options = {"preset": PRESET, "crf": QUALITY, "g": str(round(SEEK_S * form.rate))}
    stream = out.add_stream(CODEC, rate=form.rate, options={**options, "tune": "stillimage"} if still else options)
    context = stream.codec_context
    stream.width, stream.height, stream.pix_fmt = form.width, form.height, "yuv420p"
    context.time_base = 1 / form.rate
    context.color_primaries = context.color_trc = context.colorspace = context.color_range = BT709
    return stream


def _encoded(
    stream: Any, frames: Generator[tuple[Frame, bool], None, None], rate: Fraction, count: int
) -> Iterator[tuple[float, Any]]:
    import av

    picture: Any = None
    with contextlib.closing(frames):
        for number, (frame, changed) in zip(range(count), frames, strict=False):
            if changed or picture is None:
                picture = av.VideoFrame.from_ndarray(frame.data, format="yuv420p")
                picture.color_range = picture.colorspace = BT709
            picture.pts, picture.time_base = number, 1 / rate
            yield from _timed(stream.encode(picture))
    yield from _timed(stream.encode(None))


def _timed(packets: Iterable[Any]) -> Iterator[tuple[float, Any]]:
    for packet in packets:
        yield float(packet.dts * packet.time_base), packet


def _subtitles(out: Any, passages: Sequence[Passage], duration: float) -> Iterator[tuple[float, Any]]:
    stream = out.add_stream("mov_text")
    context = stream.codec_context
    context.subtitle_header = SUBTITLE_HEADER
    context.time_base = stream.time_base = SUBTITLE_CLOCK
    context.open()
    return _subtitle_packets(stream, passages, duration)


def _subtitle_packets(stream: Any, passages: Sequence[Passage], duration: float) -> Iterator[tuple[float, Any]]:
    import av

    for index, passage in enumerate(passages):
        following = passages[index + 1].start_s if index + 1 < len(passages) else duration
        end = min(passage.end_s, following, duration)
        if end <= passage.start_s:
            continue
        text = (
            "\n".join(line.text for line in passage.lines)
            .encode()[:LONGEST_SUBTITLE]
            .decode("utf-8", "ignore")
            .encode()
        )
        packet = av.Packet(struct.pack(">H", len(text)) + text)
        packet.stream = stream
        packet.time_base = SUBTITLE_CLOCK
        packet.pts = packet.dts = round(passage.start_s / SUBTITLE_CLOCK)
        packet.duration = round((end - passage.start_s) / SUBTITLE_CLOCK)
        yield passage.start_s, packet
