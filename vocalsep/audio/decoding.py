"""Open any song file for decoding: libsndfile where it can, FFmpeg's libraries for everything else."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import re

import numpy as np

from ..errors import AudioError
from .byte_range import ByteRange
from .enclosing_tags import is_mpeg
from .ffmpeg import FfmpegSource
from .joined_files import find_joined_files
from .joined_source import JoinedSource
from .mp4_boxes import is_fragmented
from .sndfile import SoundFileSource
from .source import MOST_CHANNELS, RATES_HZ, Source
from .unsupported import EMPTY_FILE, unsupported_reason

HEAD_BYTES = 4096
# The chunk of a WAV that says what it holds, where that is MPEG audio.
MPEG_IN_WAVE = re.compile(rb"fmt .{4}[\x50\x55]\0", re.DOTALL)
# MIDI sample dumps, about which libsndfile complains on the terminal, and Creative voice files, whose block headers it
# decodes as samples.
FFMPEG_ONLY = (b"\xf0\x7e", b"Creative Voice File")


def open_source(path: pathlib.Path, salvage: bool = False, stream: int | str | None = None) -> Source:
    """Open an audio or video file for decoding.

    Parameters
    ----------
    path : pathlib.Path
    salvage : bool
        Take what can be decoded of a damaged file instead of raising.
    stream : int, str or None
        Which of the file's audio streams: an index from 0 (a ``.stem.mp4`` holds five), or a number from 1 or a
        language's code as text; None for the one marked as default.

    Raises
    ------
    AudioError
        The file is missing, empty, unreadable, no audio, or has a rate or channel count that is not supported.
    """
    try:
        source = _open(path, salvage, stream)
    except OSError as error:
        raise AudioError(f"cannot be read: {(error.strerror or str(error)).lower()}", path=path) from None
    except AudioError as error:
        raise error.about(path) from None
    info = source.info
    problem = None
    if not 1 <= info.channels <= MOST_CHANNELS:
        problem = f"has {info.channels} channels; 1 to {MOST_CHANNELS} are supported"
    elif not RATES_HZ[0] <= info.sample_rate <= RATES_HZ[1]:
        problem = f"has a rate of {info.sample_rate} Hz; {RATES_HZ[0]} to {RATES_HZ[1]} Hz are supported"
    if problem:
        source.close()
        raise AudioError(problem, path=path)
    return source


def _open(path: pathlib.Path, salvage: bool, stream: int | str | None) -> Source:
    # Opening a pipe would block; some devices never end.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise AudioError("is no file, but a pipe, a socket or a device")
    ranges = find_joined_files(path)
    openers = [functools.partial(_open_range, path, one, salvage, stream) for one in ranges]
    if len(openers) == 1:
        return openers[0]()
    with openers[0]() as first:
        joined_videos = first.info.video and first.info.container != "ogg"
    if not joined_videos:
        return JoinedSource(openers, salvage)
    # The picture of the later videos could not follow, and FFmpeg itself reads on through the fragments of an MP4.
    whole = _open_range(path, ByteRange(ranges[0].start, ranges[-1].stop), salvage, stream)
    with path.open("rb") as file:
        if not is_fragmented(file):
            whole.remarks.append(
                f"consists of {len(ranges)} videos that were joined: only the first is read; "
                "a video editor joins them properly"
            )
    return whole


def _open_range(path: pathlib.Path, byte_range: ByteRange, salvage: bool, stream: int | str | None) -> Source:
    import av
    import soundfile

    with path.open("rb") as file:
        file.seek(byte_range.start)
        head = file.read(HEAD_BYTES)
    if not head:
        raise AudioError(EMPTY_FILE)
    # libsndfile decodes MPEG audio too, but writes complaints to the user's terminal.
    if stream in (None, 0, "1") and not _looks_like_mp3(path, head) and not head.startswith(FFMPEG_ONLY):
        with contextlib.suppress(soundfile.LibsndfileError):
            return SoundFileSource(path, salvage, byte_range)
    try:
        return FfmpegSource(path, salvage, stream, byte_range)
    except av.error.FFmpegError:
        raise AudioError(unsupported_reason(path)) from None


def _looks_like_mp3(path: pathlib.Path, head: bytes) -> bool:
    in_wave = head.startswith(b"R") and MPEG_IN_WAVE.search(head) is not None
    return path.suffix.lower() in (".mp3", ".mp2") or head.startswith(b"ID3") or is_mpeg(head) or in_wave


def peak(path: pathlib.Path, salvage: bool = False, stream: int | str | None = None) -> float:
    """Decode a whole file and return its largest absolute sample; raises AudioError as `open_source`."""
    with open_source(path, salvage, stream) as source:
        return max((float(np.abs(block).max()) for block in source.blocks()), default=0.0)


def has_video(path: pathlib.Path) -> bool:
    """Return whether a file holds a moving picture; False also for one that cannot be read."""
    try:
        with open_source(path) as source:
            return source.info.video
    except AudioError:
        return False
