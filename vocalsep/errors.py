"""Errors that a caller can cause: what is wrong, with which file, and what the caller can do."""

from __future__ import annotations

import os
from typing import Any, TypeVar

Error = TypeVar("Error", bound="VocalsepError")


class VocalsepError(Exception):
    """Base class of all errors that vocalsep raises on purpose; its text is one line for a person.

    Parameters
    ----------
    reason : str
        What is wrong.
    path : str or path, optional
        The file, folder or URL that the error is about.
    hint : str, optional
        What the caller can do.

    Examples
    --------
    >>> str(VocalsepError("is empty (0 bytes)", path="song.wav", hint="copy it again"))
    'song.wav: is empty (0 bytes); copy it again'
    """

    def __init__(self, reason: str, *, path: str | os.PathLike[str] | None = None, hint: str = ""):
        super().__init__(reason)
        self.reason = reason
        self.path = None if path is None else os.fspath(path)
        self.hint = hint

    def __str__(self) -> str:
        return f"{'' if self.path is None else f'{self.path}: '}{self.message}"

    @property
    def message(self) -> str:
        """What is wrong and what the caller can do, without the path."""
        return f"{self.reason}{'; ' if self.hint else ''}{self.hint}"

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.reason, self.path, self.hint)

    def about(self: Error, path: str | os.PathLike[str]) -> Error:
        """Set the path, unless it is set already; return the error itself."""
        if self.path is None:
            self.path = os.fspath(path)
        return self


class AudioError(VocalsepError):
    """An audio file or array cannot be read, written or processed."""


class DamagedError(AudioError):
    """A part of an audio file cannot be decoded; salvaging gives the rest."""


class LyricsError(VocalsepError):
    """Lyrics cannot be read, or lack the times that are needed."""


class ModelError(VocalsepError):
    """A model is unknown, its file is broken, or its configuration makes no sense."""


class OutputError(VocalsepError):
    """An output cannot be written where it was asked for."""


class OutputExistsError(OutputError):
    """An output exists and must not be replaced."""


class DiskFullError(OutputError):
    """There is no room for an output."""


class UsageError(VocalsepError):
    """Options contradict each other, or name something that does not exist."""


class MissingExtraError(UsageError):
    """A feature needs packages that are not installed; the hint is the command that installs them."""


class NoAudioFilesError(AudioError):
    """A folder holds no audio files itself; its subfolders were not searched."""


class InvalidOutputNamesError(UsageError):
    """A template for the names of outputs makes no sense, or gives two outputs the same name."""


class UnexpectedError(VocalsepError):
    """A defect of vocalsep was met while a file was processed."""


def _rebuild(kind: type[Error], reason: str, path: str | None, hint: str) -> Error:
    return kind(reason, path=path, hint=hint)
