"""Standard input, output and error in any encoding, or closed."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys

# Names of an error handler and an encoding, for `codecs` and `io`.
ESCAPE = "vocalsep.escape"
ASCII = "vocalsep_ascii"
STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


class ClosedStream(io.TextIOWrapper):
    """A stream that was closed when the program started: it reads as empty, and drops what is written."""


def prepare() -> None:
    r"""Make the three standard streams usable, however the program was started.

    A closed descriptor is opened on the null device, so that no file opened later gets its number, and what libraries
    write to it. A stream that is None (closed, or under pythonw) becomes a `ClosedStream`. Characters that an encoding
    lacks are written as escapes such as ``\u7d46``.
    """
    for number in range(len(STREAMS)):
        _open_descriptor(number)
    codecs.register_error(ESCAPE, escape)
    codecs.register(_find_ascii_codec)
    for name, mode in STREAMS:
        stream = getattr(sys, name)
        if stream is None:
            null = open(os.devnull, f"{mode}b")  # noqa: SIM115 - it stays open to the end
            setattr(sys, name, ClosedStream(null, "utf-8", ESCAPE))
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            # typer considers a stream in ASCII a mistake, and writes UTF-8 to it.
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=ASCII if ascii_only else stream.encoding, errors=ESCAPE)


def is_closed(stream: object) -> bool:
    """Whether a standard stream was closed when the program started."""
    return stream is None or isinstance(stream, ClosedStream)


def escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode a character that an encoding lacks, as an error handler of `codecs`.

    Bytes of file names that are not text become those bytes again in the file system's own encoding; all other
    characters become ASCII escapes.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    code = ord(error.object[error.start])
    if 0xDC80 <= code <= 0xDCFF and codecs.lookup(error.encoding).name == sys.getfilesystemencoding() == "utf-8":
        return bytes([code - 0xDC00]), error.start + 1
    first = UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
    return codecs.backslashreplace_errors(first)


def complain(line: str) -> None:
    """Write a line to standard error, if possible."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def drop_output() -> None:
    """Discard standard output: what is in its buffer would fail again at the end of the program."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _open_descriptor(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)


def _find_ascii_codec(name: str) -> codecs.CodecInfo | None:
    if name != ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode,
        plain.decode,
        plain.streamreader,
        plain.streamwriter,
        plain.incrementalencoder,
        plain.incrementaldecoder,
        name=ASCII,
    )
