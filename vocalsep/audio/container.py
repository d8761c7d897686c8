"""Open containers with FFmpeg's libraries (PyAV), whatever their names and tags hold."""

from __future__ import annotations

import io
from typing import Any

# Playlists and scripts would make FFmpeg open further files: only self-contained formats are let in.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,flac,wav,w64,aiff,caf,mp3,aac,ac3,eac3,dts,dtshd,truehd,asf,avi,flv,"
    "mpeg,mpegts,ape,wv,tta,amr,amrnb,amrwb,au,mpc,mpc8,tak,dsf"
)
# From this release on PyAV replaces undecodable tags by itself.
REPLACES_BAD_TAGS = 19


def open_container(file: io.BufferedReader) -> Any:
    """Open a container for reading.

    Parameters
    ----------
    file : binary file
        An open file rather than a name: FFmpeg takes names such as ``http:x`` for addresses.

    Raises
    ------
    av.error.FFmpegError
        FFmpeg cannot make sense of the file.
    """
    import av

    options: dict[str, Any] = {"options": {"format_whitelist": DEMUXERS}}
    if int(av.__version__.split(".")[0]) < REPLACES_BAD_TAGS:
        # Old tags in Latin-1 must not keep anybody from a song.
        options["metadata_errors"] = "replace"
    return av.open(file, **options)
