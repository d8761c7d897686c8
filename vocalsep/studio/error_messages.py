"""Errors as data and as the studio's visitors read them: a code, values, and the sentence in which they stand.

The sentences are texts of the page's tables, ``problem_CODE``, so that the page shows them in its own language.
"""

from __future__ import annotations

import dataclasses
import enum
import errno
import functools
import json
import os
import pathlib
from typing import Any

from ..audio.unsupported import DRM, EMPTY_FILE, NO_AUDIO, NO_AUDIO_FILE
from ..errors import (
    AudioError,
    DamagedError,
    DiskFullError,
    LyricsError,
    MissingExtraError,
    OutputError,
    UsageError,
    VocalsepError,
)
from ..jobs.separation import NO_SAMPLES
from ..system.atomic_files import os_error_text

ENGLISH = pathlib.Path(__file__).parent / "page" / "languages" / "en.json"


class Code(enum.Enum):
    """What can go wrong: a name that does not change, and the HTTP status."""

    def __init__(self, text: str, status: int):
        self.text = text
        self.status = status

    # Addresses and access.
    TOKEN_MISSING = "token_missing", 401
    OTHER_PAGE = "other_page", 403
    OTHER_HOST = "other_host", 421
    INVALID_REQUEST = "invalid_request", 422
    UNKNOWN_REQUEST = "unknown_request", 404
    REQUEST_TOO_LARGE = "request_too_large", 413
    REQUEST_BROKEN_OFF = "request_broken_off", 409
    RANGE_MISSING = "range_missing", 416
    NO_ADDRESS = "no_address", 404
    # Uploads.
    FILE_TOO_LARGE = "file_too_large", 413
    SONG_TOO_LONG = "song_too_long", 413
    UPLOAD_CUT_SHORT = "upload_cut_short", 400
    UPLOAD_BROKEN_OFF = "upload_broken_off", 400
    UPLOAD_STALLED = "upload_stalled", 408
    FILE_EMPTY = "file_empty", 422
    FILE_NOT_AUDIO = "file_not_audio", 422
    FILE_WITHOUT_SOUND = "file_without_sound", 422
    FILE_WITHOUT_SAMPLES = "file_without_samples", 422
    FILE_PROTECTED = "file_protected", 422
    FILE_UNUSABLE = "file_unusable", 422
    # Songs.
    NO_SONG = "no_song", 404
    NO_STEMS = "no_stems", 409
    NO_COVER = "no_cover", 404
    FILE_GONE = "file_gone", 404
    STEM_GROWING = "stem_growing", 409
    SONG_NOT_DONE = "song_not_done", 409
    SONG_CHANGED = "song_changed", 409
    SONG_CANCELLED = "song_cancelled", 409
    STUDIO_CLOSED = "studio_closed", 409
    NOTHING_TO_RESTART = "nothing_to_restart", 409
    QUEUE_FULL = "queue_full", 429
    VERSION_MISSING = "version_missing", 409
    # Downloads.
    NO_EXPORT = "no_export", 404
    EXPORT_NOT_DONE = "export_not_done", 409
    EXPORT_GONE = "export_gone", 404
    EXPORTS_FULL = "exports_full", 429
    NO_PICTURE = "no_picture", 422
    WORDS_WITHOUT_TIMES = "words_without_times", 422
    PASSAGE_EMPTY = "passage_empty", 422
    PASSAGE_AFTER_END = "passage_after_end", 422
    RECORDING_NOT_NAMED = "recording_not_named", 422
    # Words, recordings and singers.
    NO_WORDS = "no_words", 404
    WORDS_TOO_LONG = "words_too_long", 413
    WORDS_EMPTY = "words_empty", 422
    WORDS_NO_TEXT = "words_no_text", 422
    WORDS_PARTLY_TIMED = "words_partly_timed", 422
    NO_RECORDING = "no_recording", 404
    RECORDINGS_FULL = "recordings_full", 422
    NO_ENTRY = "no_entry", 404
    PARTY_FULL = "party_full", 422
    # What the library reports; its own sentence is the value `reason`.
    DISK_FULL = "disk_full", 507
    PACKAGES_MISSING = "packages_missing", 422
    AUDIO_DAMAGED = "audio_damaged", 422
    AUDIO = "audio", 422
    NOT_WRITTEN = "not_written", 500
    UNEXPECTED = "unexpected", 500


# The first class that an error is of gives the code.
CODE_OF_ERROR: dict[type[VocalsepError], Code] = {
    DiskFullError: Code.DISK_FULL,
    MissingExtraError: Code.PACKAGES_MISSING,
    DamagedError: Code.AUDIO_DAMAGED,
    AudioError: Code.AUDIO,
    OutputError: Code.NOT_WRITTEN,
    LyricsError: Code.INVALID_REQUEST,
    UsageError: Code.INVALID_REQUEST,
    VocalsepError: Code.UNEXPECTED,
}
CODE_OF_REASON = {
    EMPTY_FILE: Code.FILE_EMPTY,
    NO_AUDIO_FILE: Code.FILE_NOT_AUDIO,
    NO_AUDIO: Code.FILE_WITHOUT_SOUND,
    NO_SAMPLES: Code.FILE_WITHOUT_SAMPLES,
    DRM: Code.FILE_PROTECTED,
}


@dataclasses.dataclass(frozen=True)
class Problem:
    """What went wrong: a code, and the values that its sentence names."""

    code: Code
    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What went wrong, in English."""
        return _english()[f"problem_{self.code.text}"].format(**self.values)

    @property
    def answer(self) -> dict[str, Any]:
        """The body of an answer of the HTTP interface."""
        return {"detail": self.sentence, "code": self.code.text, "values": self.values}


class StudioError(VocalsepError):
    """A request cannot be met, or a song not be separated.

    Parameters
    ----------
    code : Code
    **values
        What its sentence names.
    """

    def __init__(self, code: Code, **values: Any):
        self.problem = Problem(code, values)
        super().__init__(self.problem.sentence)


class RequestRefused(StudioError):
    """A request whose body may not have been read to its end: its connection cannot be used for another one."""


def problem_of(error: Exception) -> Problem:
    """Return what went wrong, of any exception; those that nobody expected are `Code.UNEXPECTED`."""
    if isinstance(error, StudioError):
        return error.problem
    if not isinstance(error, VocalsepError):
        return Problem(Code.UNEXPECTED, {"reason": f"{type(error).__name__}: {error}"})
    if error.reason in CODE_OF_REASON:
        return Problem(CODE_OF_REASON[error.reason])
    code = next(code for kind, code in CODE_OF_ERROR.items() if isinstance(error, kind))
    return Problem(code, {"reason": visitor_message(error)})


def error_fields(problem: Problem | None) -> dict[str, Any]:
    """Return a problem, or none, as the fields with which songs, exports and analyses tell it."""
    if problem is None:
        return {"error": "", "error_code": "", "error_values": {}}
    return {"error": problem.sentence, "error_code": problem.code.text, "error_values": problem.values}


def write_error(message: str, error: OSError) -> OutputError:
    """Return the OutputError, or DiskFullError, for something that could not be written.

    Parameters
    ----------
    message : str
        What could not be written, as a clause.
    error : OSError
        What the system reported.
    """
    kind = DiskFullError if error.errno == errno.ENOSPC else OutputError
    return kind(f"{message}: {os_error_text(error)}")


def visitor_message(error: VocalsepError) -> str:
    """Return an error's text for a visitor, in one line.

    Errors about audio leave out the path, which is the library's copy of the visitor's file; others name the file
    without its folder. Hints on how to decode damaged files are for callers of the library, and left out too.
    """
    text = str(error)
    if error.path is not None and os.path.isabs(error.path):
        text = f"{os.path.basename(error.path)}: {error.message}"
    if isinstance(error, AudioError):
        text = error.reason if isinstance(error, DamagedError) else error.message
    return " ".join(text.split())


@functools.cache
def _english() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(ENGLISH.read_text("utf-8"))
    return table
