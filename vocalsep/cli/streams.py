"""Standard input, output and error as a program finds them: in any encoding, or not there at all."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys

# `codecs` and `io` know error handlers and encodings by names.
ESCAPE = "vocalsep.escape"
ASCII = "vocalsep_ascii"
STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


class Absent(io.TextIOWrapper):
    """A stream that the program was begun without: reading gives nothing, and what is written is dropped."""


def prepare() -> None:
    r"""Make the three standard streams usable, whatever the program was begun with.

    A closed descriptor becomes the null device, so that no file that is opened later takes its number and gets what
    libraries write to it. A stream that is None (closed, or under pythonw) becomes an `Absent`. What an encoding has no
    character for is written as an escape such as ``\u7d46``.
    """
    for number in range(len(STREAMS)):
        _keep_open(number)
    codecs.register_error(ESCAPE, escape)
    codecs.register(_plain_ascii)
    for name, mode in STREAMS:
        stream = getattr(sys, name)
        if stream is None:
            null = open(os.devnull, f"{mode}b")  # noqa: SIM115 - it stays open to the end
            setattr(sys, name, Absent(null, "utf-8", ESCAPE))
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            # typer takes a stream in ASCII for a mistake, and writes UTF-8 to it.
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=ASCII if ascii_only else stream.encoding, errors=ESCAPE)


def is_absent(stream: object) -> bool:
    """Whether a standard stream is not there."""
    return stream is None or isinstance(stream, Absent)


def escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode what an encoding cannot hold, as an error handler of `codecs`.

    Bytes of a file's name that are no text become those bytes again where the encoding is the file system's own;
    everything else becomes an escape of ASCII.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    code = ord(error.object[error.start])
    if 0xDC80 <= code <= 0xDCFF and codecs.lookup(error.encoding).name == sys.getfilesystemencoding() == "utf-8":
        return bytes([code - 0xDC00]), error.start + 1
    one = UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
    return codecs.backslashreplace_errors(one)


def complain(line: str) -> None:
    """Write a line to standard error, if that can be."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def drop_output() -> None:
    """Let standard output go nowhere: what it still holds back would fail once more at the end of the program."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _keep_open(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)


def _plain_ascii(name: str) -> codecs.CodecInfo | None:
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
