"""Errors as one line for a person, with the options of the command that help; tracebacks with --debug."""

from __future__ import annotations

import contextlib
import errno
import logging
import re
import sys
from collections.abc import Collection, Iterator

import typer

from ..errors import (
    DamagedError,
    InvalidOutputNamesError,
    NoAudioFilesError,
    OutputExistsError,
    UnexpectedError,
    VocalsepError,
)
from ..system.atomic_files import os_error_text
from ..system.signals import INTERRUPTED
from .streams import complain, drop_output

logger = logging.getLogger(__name__)

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Key of a hint for commands that have none of the other options.
ANY_COMMAND = ""
# For each class of errors, the options that help, and what each does. The library's own hints name no options.
OPTION_HINTS: dict[type[VocalsepError], dict[str, str]] = {
    OutputExistsError: {
        "overwrite": "--overwrite replaces it",
        "skip_existing": "--skip-existing passes over it",
    },
    DamagedError: {
        "salvage": "--salvage takes what can be decoded",
        ANY_COMMAND: "`vocalsep split --salvage` takes what can be decoded",
    },
    NoAudioFilesError: {"recursive": "--recursive looks into subfolders"},
    InvalidOutputNamesError: {"name": "try --name '{name}/{stem}.{ext}'"},
    UnexpectedError: {ANY_COMMAND: "please report this, with what `vocalsep --debug` shows"},
}


def error_message(error: VocalsepError, options: Collection[str]) -> str:
    """Return what is wrong and what to do in one line, without the file's name.

    Parameters
    ----------
    error : VocalsepError
    options : collection of str
        Fields of the command's options.
    """
    hint = next((_option_hint(hints, options) for kind, hints in OPTION_HINTS.items() if isinstance(error, kind)), "")
    hint = hint or error.hint
    return _one_line(f"{error.reason}{'; ' if hint else ''}{hint}")


def _one_line(text: str) -> str:
    """Return a text in one line, without characters that would command a terminal."""
    return " ".join(CONTROL.sub(" ", text).split())


def _option_hint(hints: dict[str, str], options: Collection[str]) -> str:
    return ", ".join(hint for option, hint in hints.items() if option in options) or hints.get(ANY_COMMAND, "")


def error_line(error: VocalsepError, options: Collection[str]) -> str:
    """Return `error_message` after the file's name."""
    path = "" if error.path is None else f"{_one_line(error.path)}: "
    return f"{path}{error_message(error, options)}"


@contextlib.contextmanager
def one_line_errors(options: Collection[str] = ()) -> Iterator[None]:
    """Print every expected error as one line on standard error, and exit with code 2.

    Errors of files that the user named are VocalsepErrors; of other OSErrors, most are a full disk under standard
    output.

    Parameters
    ----------
    options : collection of str
        Fields of the command's options.

    Raises
    ------
    typer.Exit
        After an error or an interrupt.
    """
    try:
        yield
    except VocalsepError as error:
        logger.debug("error", exc_info=True)
        complain(f"vocalsep: {error_line(error, options)}")
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        complain("vocalsep: interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            # The program that reads our output has ended; click exits quietly.
            raise
        logger.debug("error", exc_info=True)
        drop_output()
        complain(f"vocalsep: {error.filename or 'standard output cannot be written'}: {os_error_text(error)}")
        raise typer.Exit(2) from None


def show_debug_log() -> None:
    """Print what the `vocalsep` loggers say on standard error, with tracebacks."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
    root = logging.getLogger("vocalsep")
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
