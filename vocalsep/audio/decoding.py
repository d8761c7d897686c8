"""Open any song file for decoding: libsndfile where it can, FFmpeg's libraries for everything else."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import re

import numpy as np

from ..errors import AudioError
from .ffmpeg import FfmpegSource
from .joined import JoinedSource
from .parts import Part, find_parts, is_mpeg
from .refusals import refusal
from .sndfile import SoundFileSource
from .source import MOST_CHANNELS, RATES_HZ, Source

HEAD_BYTES = 4096
# The chunk of a WAV that says what it holds, where that is MPEG audio.
MPEG_IN_WAVE = re.compile(rb"fmt .{4}[\x50\x55]\0", re.DOTALL)
# MIDI sample dumps, of which libsndfile complains on the terminal, and Creative voice files, of which it takes the
# headers of blocks for sound.
LEFT_TO_FFMPEG = (b"\xf0\x7e", b"Creative Voice File")


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
        raise AudioError(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    info = source.info
    problem = None
    if not 1 <= info.channels <= MOST_CHANNELS:
        problem = f"has {info.channels} channels; 1 to {MOST_CHANNELS} are supported"
    elif not RATES_HZ[0] <= info.sample_rate <= RATES_HZ[1]:
        problem = f"has a rate of {info.sample_rate} Hz; {RATES_HZ[0]} to {RATES_HZ[1]} Hz are supported"
    if problem:
        source.close()
        raise AudioError(problem)
    return source


def _open(path: pathlib.Path, salvage: bool, stream: int | str | None) -> Source:
    # A pipe would keep whoever opens it waiting; some devices never end.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise AudioError("is no file, but a pipe, a socket or a device")
    opens = [functools.partial(_open_part, path, part, salvage, stream) for part in find_parts(path)]
    return opens[0]() if len(opens) == 1 else JoinedSource(opens, salvage)


def _open_part(path: pathlib.Path, part: Part, salvage: bool, stream: int | str | None) -> Source:
    import av
    import soundfile

    with path.open("rb") as file:
        file.seek(part.start)
        head = file.read(HEAD_BYTES)
    if not head:
        raise AudioError("is empty (0 bytes)")
    # libsndfile decodes MPEG audio too, but writes complaints to the user's terminal.
    if stream in (None, 0, "1") and not _looks_like_mp3(path, head) and not head.startswith(LEFT_TO_FFMPEG):
        with contextlib.suppress(soundfile.LibsndfileError):
            return SoundFileSource(path, salvage, part)
    try:
        return FfmpegSource(path, salvage, stream, part)
    except av.error.FFmpegError:
        raise AudioError(refusal(path)) from None


def _looks_like_mp3(path: pathlib.Path, head: bytes) -> bool:
    in_wave = head.startswith(b"R") and MPEG_IN_WAVE.search(head) is not None
    return path.suffix.lower() in (".mp3", ".mp2") or head.startswith(b"ID3") or is_mpeg(head) or in_wave


def peak(path: pathlib.Path, salvage: bool = False, stream: int | str | None = None) -> float:
    """Largest absolute sample of a file, decoded once from end to end; raises AudioError as `open_source`."""
    with open_source(path, salvage, stream) as source:
        return max((float(np.abs(block).max()) for block in source.blocks()), default=0.0)


def has_video(path: pathlib.Path) -> bool:
    """Whether a file holds a moving picture; False also for one that cannot be read."""
    try:
        with open_source(path) as source:
            return source.info.video
    except AudioError:
        return False
