"""Open containers with FFmpeg's libraries (PyAV), with any file name and any tags."""

from __future__ import annotations

import errno
import itertools
import os
from typing import Any

from ..system.signals import uninterrupted

# Self-contained formats only: playlists and scripts would make FFmpeg open further files.
ALLOWED_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,flac,wav,w64,aiff,caf,mp3,aac,ac3,eac3,dts,dtshd,truehd,mlp,asf,avi,flv,"
    "live_flv,kux,mpeg,mpegts,mxf,gxf,dv,rm,ivr,nut,nsv,nuv,wtv,loas,ape,wv,tta,tak,shn,mpc,mpc8,vqf,oma,aea,amr,amrnb,"
    "amrwb,gsm,g722,g723_1,g726,g726le,ilbc,qcp,dss,sbc,aptx,aptx_hd,spdif,dsf,iff,au,voc,sox,ircam,nistsphere,pvf,sln,"
    "xwma,adx,ast,rso,mmf,hcom,bonk,osq,qoa"
)
# MPEG program and transport streams do not list their streams, and FFmpeg looks for them in the first seconds only: a
# sound that begins after a silent opening would be missing. Bytes and microseconds.
WITHOUT_STREAM_LIST = ("mpeg", "mpegts")
PROBE_FURTHER = {"probesize": "50000000", "analyzeduration": "120000000"}
# Codecs of pictures that may be covers without being marked as such.
STILL_CODECS = frozenset(("mjpeg", "png", "bmp", "gif", "tiff", "webp", "jpeg2000", "jpegls"))
# From this release on PyAV replaces undecodable tags by itself.
REPLACES_BAD_TAGS = 19


class AvioFile:
    """Adapt a binary file to FFmpeg's I/O layer (AVIO): store errors instead of raising them.

    PyAV calls it from C code, which cannot propagate exceptions and prints them to the terminal.

    Parameters
    ----------
    file : binary file
        An open file and not a name, as FFmpeg treats names such as ``http:x`` as addresses.

    Attributes
    ----------
    error : OSError or None
        The first error of reading or writing.
    """

    def __init__(self, file: Any):
        self.file = file
        self.name = os.fsencode(file.name).decode("utf-8", "replace")
        self.error: OSError | None = None
        self.tell = file.tell
        self.seekable = file.seekable
        self.readable = file.readable
        self.writable = file.writable

    @uninterrupted
    def read(self, size: int) -> bytes:
        """Read up to `size` bytes; none after an error."""
        try:
            return self.file.read(size)
        except OSError as error:
            self.error = self.error or error
            return b""

    @uninterrupted
    def write(self, data: bytes) -> int:
        """Write and return the number of bytes, or a negative error number."""
        try:
            return self.file.write(data)
        except OSError as error:
            return self._failed(error)

    @uninterrupted
    def seek(self, offset: int, whence: int = 0) -> int:
        """Move and return the position, or a negative error number, as damaged files lead to impossible positions."""
        try:
            return self.file.seek(offset, whence)
        except ValueError:
            return -errno.EINVAL
        except OSError as error:
            return -errno.EINVAL if error.errno == errno.EINVAL else self._failed(error)

    def _failed(self, error: OSError) -> int:
        self.error = self.error or error
        return -(error.errno or errno.EIO)


def open_container(file: AvioFile) -> Any:
    """Open a container for reading.

    Parameters
    ----------
    file : AvioFile

    Raises
    ------
    av.error.FFmpegError
        FFmpeg does not recognize the file.
    """
    import av

    options: dict[str, Any] = {"options": {"format_whitelist": ALLOWED_DEMUXERS}}
    if int(av.__version__.split(".")[0]) < REPLACES_BAD_TAGS:
        # Undecodable tags, such as old ones in Latin-1, must not prevent decoding.
        options["metadata_errors"] = "replace"
    container = av.open(file, **options)
    if container.format.name not in WITHOUT_STREAM_LIST:
        return container
    container.close()
    file.seek(0)
    return av.open(file, **{**options, "options": {**options["options"], **PROBE_FURTHER}})


def is_cover(file: AvioFile, stream: Any) -> bool:
    """Return whether a video stream is a cover: marked as one, or a single still picture.

    Parameters
    ----------
    file : AvioFile
        The file of `stream`. It is opened a second time to count pictures; its position is restored.
    stream : av.VideoStream
    """
    if stream.disposition & stream.disposition.attached_pic:
        return True
    # There is no context of a codec that FFmpeg cannot decode.
    context = stream.codec_context
    if context is None or context.name not in STILL_CODECS:
        return False
    if stream.frames:
        return bool(stream.frames == 1)
    position = file.tell()
    file.seek(0)
    try:
        with open_container(file) as again:
            pictures = (packet for packet in again.demux(again.streams[stream.index]) if packet.size)
            return len(list(itertools.islice(pictures, 2))) < 2
    finally:
        file.seek(position)
