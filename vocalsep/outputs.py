"""Files that appear whole or not at all, and the names that they get."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import secrets
import string
from collections.abc import Mapping

from .errors import OutputError, UsageError

NAME_FIELDS = ("name", "source", "stem", "ext", "model")
# Most file systems count the bytes of a name in 8 bits.
LONGEST_NAME = 255
# By these words others tell it from what else can go wrong.
DISK_FULL = "the disk is full"
ATTEMPTS = 100


class Pending:
    """An output under a temporary name beside its target, until it is whole.

    Parameters
    ----------
    target : pathlib.Path
        Its missing parent folders are made, and removed again if nothing comes of it.
    overwrite : bool
        Whether a file that stands there may be replaced.

    Raises
    ------
    OutputError
        The folder cannot be made or written to.
    """

    def __init__(self, target: pathlib.Path, overwrite: bool):
        self.target = target
        self.overwrite = overwrite
        self.path = target.with_name(f".vocalsep-{secrets.token_hex(6)}{target.suffix}")
        for attempt in range(ATTEMPTS):
            self._made = _missing_parents(target)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                self.path.touch(exist_ok=False)
                return
            except (FileNotFoundError, FileExistsError) as error:
                # Another song's output came to nothing, and took the folder that both need with it.
                if attempt + 1 == ATTEMPTS:
                    raise OutputError(f"cannot write to {target.parent}: {reason(error)}") from None
            except OSError as error:
                self._remove_folders()
                raise OutputError(f"cannot write to {target.parent}: {reason(error)}") from None

    def __enter__(self) -> Pending:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def commit(self) -> None:
        """Give the file its final name; raises OutputError if one stands there that must not be replaced."""
        try:
            if self.overwrite:
                os.replace(self.path, self.target)
            else:
                self._link()
        except FileExistsError:
            raise OutputError(
                f"{self.target} exists; --overwrite replaces it, --skip-existing passes it over"
            ) from None
        except OSError as error:
            raise OutputError(f"cannot write {self.target}: {reason(error)}") from None
        self._made = []

    def discard(self) -> None:
        """Remove the temporary file and the folders made for it; after `commit` there is nothing to remove."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._remove_folders()

    def _link(self) -> None:
        # Unlike a rename, a link never replaces a file that another process put there in the meantime.
        try:
            os.link(self.path, self.target)
        except FileExistsError:
            raise
        except OSError:
            # No hard links on this file system.
            if self.target.exists():
                raise FileExistsError from None
            os.rename(self.path, self.target)
        else:
            self.path.unlink()

    def _remove_folders(self) -> None:
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def write_text(path: pathlib.Path, text: str) -> None:
    """Write a text file, UTF-8, as `write_bytes`.

    Bytes of a file's name that are no text become escapes, which JSON reads as what they were.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: pathlib.Path, data: bytes) -> None:
    """Write a file in the place of any that is there, whole or not at all; raises OutputError."""
    with Pending(path, overwrite=True) as pending:
        try:
            pending.path.write_bytes(data)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({reason(error)})") from None
        pending.commit()


def check_template(template: str, stems: int) -> None:
    """Check a name template before any work is done for it.

    Raises
    ------
    UsageError
        It has unknown fields, gives several stems the same name, leads out of the output folder, or cannot be filled
        with names that fit a file system.
    """
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise UsageError(f"--name {template!r} is not understood: {error}") from None
    unknown = fields - set(NAME_FIELDS)
    if unknown:
        known = ", ".join(f"{{{field}}}" for field in NAME_FIELDS)
        raise UsageError(f"--name {template!r} has an unknown field {{{sorted(unknown)[0]}}}; known are {known}")
    if stems > 1 and "stem" not in fields:
        raise UsageError(f"--name {template!r} lacks {{stem}}: both stems would have one name")
    parts = pathlib.PurePath(template).parts
    if not parts or pathlib.PurePath(template).is_absolute() or ".." in parts:
        raise UsageError(f"--name {template!r} must be a relative path below the output folder, without '..'")
    try:
        longest = max(len(os.fsencode(part.format_map(dict.fromkeys(NAME_FIELDS, "x")))) for part in parts)
    except (ValueError, LookupError) as error:
        raise UsageError(f"--name {template!r} is not understood: {error}") from None
    if longest > LONGEST_NAME:
        raise UsageError(f"--name {template!r} makes names of more than {LONGEST_NAME} bytes; shorten it")


def named(template: str, fields: Mapping[str, str]) -> pathlib.Path:
    """Fill a checked template; a part that is too long for a file name loses the end of its longest field.

    A part that would lead out of its folder, as the name of ``...mp3`` without its suffix does, gets underscores.
    """
    parts = []
    for part in pathlib.PurePath(template).parts:
        values = dict(fields)
        while len(os.fsencode(part.format_map(values))) > LONGEST_NAME:
            longest = max(values, key=lambda field: len(values[field]) if f"{{{field}" in part else 0)
            values[longest] = values[longest][:-1]
        filled = part.format_map(values)
        parts.append("_" * len(filled) if filled in (".", "..") else filled)
    return pathlib.Path(*parts)


def reason(error: OSError) -> str:
    """Return why something could not be written, in plain words."""
    return DISK_FULL if error.errno == errno.ENOSPC else (error.strerror or str(error)).lower()


def _missing_parents(target: pathlib.Path) -> list[pathlib.Path]:
    missing = []
    for folder in target.parents:
        if folder.exists():
            break
        missing.append(folder)
    return missing
