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
    >>> from vocalsep import VocalsepError
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
    """An audio file or array cannot be read, written or processed.

    Examples
    --------
    >>> from vocalsep import AudioError, Separator
    >>> try:
    ...     Separator().separate_file("no such song.mp3", "stems")
    ... except AudioError as error:
    ...     print(error.path)
    no such song.mp3
    """


class DamagedError(AudioError):
    """A part of an audio file cannot be decoded; salvaging gives the rest.

    Examples
    --------
    >>> import pathlib
    >>> import numpy as np
    >>> import soundfile
    >>> from vocalsep import DamagedError, Separator
    >>> soundfile.write("song.flac", np.random.default_rng(0).uniform(-0.1, 0.1, 200_000), 44100)
    >>> data = pathlib.Path("song.flac").read_bytes()
    >>> middle = len(data) // 2
    >>> damaged = data[:middle] + bytes(50_000) + data[middle + 50_000 :]
    >>> size = pathlib.Path("damaged.flac").write_bytes(damaged)
    >>> try:
    ...     Separator().separate_file("damaged.flac", "stems")
    ... except DamagedError:
    ...     paths = Separator().separate_file("damaged.flac", "stems", salvage=True)
    >>> paths["vocals"].exists()
    True
    """


class LyricsError(VocalsepError):
    """Lyrics cannot be read, or lack the times that are needed.

    Examples
    --------
    >>> from vocalsep import LyricsError, VocalsepError
    >>> issubclass(LyricsError, VocalsepError)
    True
    """


class ModelError(VocalsepError):
    """A model is unknown, its file is broken, or its configuration makes no sense.

    Examples
    --------
    >>> from vocalsep import ModelError, Separator
    >>> try:
    ...     Separator("no such model")
    ... except ModelError as error:
    ...     print(error.reason.partition(";")[0])
    unknown model 'no such model'
    """


class OutputError(VocalsepError):
    """An output cannot be written where it was asked for.

    Examples
    --------
    >>> import pathlib
    >>> import numpy as np
    >>> import soundfile
    >>> from vocalsep import OutputError, Separator
    >>> soundfile.write("song.wav", np.zeros((44100, 2)), 44100)
    >>> pathlib.Path("not a folder").touch()
    >>> try:
    ...     Separator().separate_file("song.wav", "not a folder")
    ... except OutputError as error:
    ...     print(error.path)
    not a folder
    """


class OutputExistsError(OutputError):
    """An output exists and must not be replaced.

    Examples
    --------
    >>> import numpy as np
    >>> import soundfile
    >>> from vocalsep import OutputExistsError, Separator
    >>> soundfile.write("song.wav", np.zeros((44100, 2)), 44100)
    >>> separator = Separator()
    >>> first = separator.separate_file("song.wav", "stems", stems=["vocals"])
    >>> try:
    ...     separator.separate_file("song.wav", "stems", stems=["vocals"])
    ... except OutputExistsError:
    ...     again = separator.separate_file("song.wav", "stems", stems=["vocals"], overwrite=True)
    >>> first == again
    True
    """


class DiskFullError(OutputError):
    """There is no room for an output.

    Examples
    --------
    >>> from vocalsep import DiskFullError, OutputError
    >>> issubclass(DiskFullError, OutputError)
    True
    """


class UsageError(VocalsepError):
    """Options contradict each other, or name something that does not exist.

    Examples
    --------
    >>> from vocalsep import Separator, UsageError
    >>> try:
    ...     Separator(precision="int8")
    ... except UsageError as error:
    ...     print(error)
    unknown precision 'int8'; choose float32, bfloat16, float16
    """


class MissingExtraError(UsageError):
    """A feature needs packages that are not installed; the hint is the command that installs them.

    Examples
    --------
    >>> from vocalsep import MissingExtraError
    >>> str(MissingExtraError("training needs packages", hint="install them with: pip install vocalsep[train]"))
    'training needs packages; install them with: pip install vocalsep[train]'
    """


class NoAudioFilesError(AudioError):
    """A folder holds no audio files itself; its subfolders were not searched."""


class InvalidOutputNamesError(UsageError):
    """A template for the names of outputs makes no sense, or gives two outputs the same name."""


class UnexpectedError(VocalsepError):
    """A defect of vocalsep was met while a file was processed."""


def _rebuild(kind: type[Error], reason: str, path: str | None, hint: str) -> Error:
    return kind(reason, path=path, hint=hint)
