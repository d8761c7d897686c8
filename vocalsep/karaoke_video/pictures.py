"""The pictures of a karaoke video, one after another: background, words, and how much of them is sung."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..audio.container import AvioFile, is_cover, open_container
from ..errors import AudioError
from .content import MovingPicture
from .drawing import Drawing, Scene, WipedRow
from .frames import Frame
from .screens import Passage, Screen

# Pictures a second of a still background, and bounds of those of a video.
RATE = Fraction(25)
SLOWEST, FASTEST = Fraction(10), Fraction(60)
# Bounds of a picture's size in pixels: words are drawn large enough to read, and the encoder is fast enough.
LOWEST, HIGHEST, WIDEST = 480, 1080, 1920
# Denominator of a rate that a container gives only roughly.
RATE_DENOMINATOR = 1001
QUARTER = 90


@dataclasses.dataclass(frozen=True)
class PictureFormat:
    """Size in pixels, and pictures a second."""

    width: int
    height: int
    rate: Fraction = RATE


def picture_format(path: pathlib.Path) -> PictureFormat:
    """Return the format in which the picture of a video is shown, with square pixels and upright.

    Raises
    ------
    AudioError
        The picture cannot be decoded.
    """
    with path.open("rb") as file, open_container(AvioFile(file)) as container:
        stream = picture_stream(container, AvioFile(file))
        context = stream.codec_context
        if context is None or not (context.width and context.height):
            raise AudioError("its picture is of a kind that cannot be decoded", path=path)
        shape = context.sample_aspect_ratio or 1
        sides = [float(context.width * (shape if shape > 0 else 1)), float(context.height)]
        if _rotation(container, stream) % (2 * QUARTER):
            sides.reverse()
        rate = Fraction(stream.average_rate or stream.guessed_rate or RATE).limit_denominator(RATE_DENOMINATOR)
    scale = min(max(1.0, LOWEST / min(sides)), HIGHEST / min(sides), WIDEST / max(sides))
    width, height = (2 * max(8, round(side * scale / 2)) for side in sides)
    return PictureFormat(width, height, min(max(rate, SLOWEST), FASTEST))


def still_frames(
    drawing: Drawing, passages: Sequence[Passage], screens: Sequence[Screen], rate: Fraction
) -> Generator[tuple[Frame, bool], None, None]:
    """Yield the pictures of a video with a background that stays, without end.

    Yields
    ------
    frame, changed : Frame, bool
        The picture, and whether it differs from the one before. It is drawn into again afterwards.
    """
    background = drawing.background()
    frame, sung_frame = background.copy(), background.copy()
    scene = Scene([], [])
    columns: list[tuple[int, int]] = []
    for time, screen, is_new in _screen_times(screens, rate):
        if is_new:
            np.copyto(frame.data, background.data)
            scene = drawing.scene(screen)
            for overlay in scene.fixed:
                overlay.blend(frame)
            np.copyto(sung_frame.data, frame.data)
            for row in scene.rows:
                row.unsung.blend(frame)
                row.sung.blend(sung_frame)
            columns = [(0, 0)] * len(scene.rows)
        changed = is_new
        for index, row in enumerate(scene.rows):
            sung = row.columns(_sung(passages, screen, row, time))
            if sung != columns[index]:
                row.sung.copy_columns(sung_frame, frame, *sung)
                columns[index] = sung
                changed = True
        yield frame, changed


def moving_frames(
    drawing: Drawing,
    passages: Sequence[Passage],
    screens: Sequence[Screen],
    picture: MovingPicture,
    form: PictureFormat,
) -> Generator[tuple[Frame, bool], None, None]:
    """Yield the pictures of a video with words over the picture of another, without end; see `still_frames`.

    Its last picture stays.
    """
    scene = Scene([], [])
    with contextlib.closing(_shown_pictures(picture, form)) as pictures:
        for (time, screen, is_new), background in zip(_screen_times(screens, form.rate), pictures, strict=False):
            if is_new:
                scene = drawing.scene(screen)
            frame = background.copy()
            for overlay in scene.fixed:
                overlay.blend(frame)
            for row in scene.rows:
                first, last = row.columns(_sung(passages, screen, row, time))
                row.unsung.blend(frame, 0, first)
                row.sung.blend(frame, first, last)
                row.unsung.blend(frame, last)
            yield frame, True


def _sung(passages: Sequence[Passage], screen: Screen, row: WipedRow, time: float) -> float:
    return 0.0 if screen.current is None else passages[screen.current].sung(row.line, time)


def _screen_times(screens: Sequence[Screen], rate: Fraction) -> Iterator[tuple[float, Screen, bool]]:
    """Yield the time of each picture, the screen that is shown then, and whether it has just appeared."""
    index, number = 0, 0
    is_new = True
    while True:
        time = float(number / rate)
        while index + 1 < len(screens) and screens[index + 1].start_s <= time:
            index, is_new = index + 1, True
        yield time, screens[index], is_new
        number, is_new = number + 1, False


def _shown_pictures(picture: MovingPicture, form: PictureFormat) -> Generator[Frame, None, None]:
    """Yield, for each picture of the karaoke video, the one that the other video shows at that time."""
    with contextlib.closing(_decoded_pictures(picture.path)) as decoded:
        shown, upcoming = None, next(decoded, None)
        frame = Frame(form.width, form.height)
        number = 0
        while True:
            time = picture.sound_start_s + picture.start_s + float(number / form.rate) * picture.tempo / 100
            newest = shown
            while upcoming is not None and (upcoming[0] <= time or newest is None):
                newest, upcoming = upcoming, next(decoded, None)
            if newest is not None and newest is not shown:
                shown = newest
                frame = _scaled(shown[1], shown[2], form)
            yield frame
            number += 1


def _decoded_pictures(path: pathlib.Path) -> Generator[tuple[float, Any, int], None, None]:
    """Yield time in seconds, picture and rotation in degrees; what cannot be decoded is passed over."""
    import av

    with path.open("rb") as file, open_container(AvioFile(file)) as container:
        stream = picture_stream(container, AvioFile(file))
        stream.thread_type = "AUTO"
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError):
                return
            with contextlib.suppress(av.error.FFmpegError):
                for picture in packet.decode():
                    if picture.time is not None:
                        yield float(picture.time), picture, int(picture.rotation)


def _scaled(picture: Any, rotation: int, form: PictureFormat) -> Frame:
    turned = rotation % (2 * QUARTER) != 0
    width, height = (form.height, form.width) if turned else (form.width, form.height)
    frame = Frame(width, height, picture.reformat(width, height, "yuv420p").to_ndarray())
    turns = round(rotation / QUARTER) % 4
    if not turns:
        return frame
    upright = Frame(form.width, form.height)
    for source, target in ((frame.luma, upright.luma), (frame.u, upright.u), (frame.v, upright.v)):
        target[:] = np.rot90(source, turns)
    return upright


def _rotation(container: Any, stream: Any) -> int:
    """Return by how many degrees the first picture is to be turned."""
    import av

    with contextlib.suppress(av.error.FFmpegError, StopIteration):
        return int(next(container.decode(stream)).rotation)
    return 0


def picture_stream(container: Any, file: AvioFile) -> Any:
    """Return the stream of the moving picture of an open video.

    Parameters
    ----------
    container : av.container.InputContainer
    file : AvioFile
        Of the container, see `is_cover`.
    """
    streams = [stream for stream in container.streams.video if not is_cover(file, stream)]
    return streams[0]
