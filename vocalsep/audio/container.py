"""Open containers with FFmpeg's libraries (PyAV), whatever their names and tags hold."""

from __future__ import annotations

import io
from typing import Any

# From this release on PyAV replaces undecodable tags by itself.
REPLACES_BAD_TAGS = 19


def open_container(file: io.BufferedReader, **options: Any) -> Any:
    """Open a container for reading.

    Parameters
    ----------
    file : binary file
        An open file rather than a name: FFmpeg takes names such as ``http:x`` for addresses.
    **options
        Passed on to `av.open`.

    Raises
    ------
    av.error.FFmpegError
        FFmpeg cannot make sense of the file.
    """
    import av

    if int(av.__version__.split(".")[0]) < REPLACES_BAD_TAGS:
        # Old tags in Latin-1 must not keep anybody from a song.
        options["metadata_errors"] = "replace"
    return av.open(file, **options)
