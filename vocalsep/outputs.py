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
from .names import LONGEST_NAME, fits, safe_name

NAME_FIELDS = ("name", "source", "folder", "stem", "ext", "model")
FOLDER = "folder"
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
    fields = fields_of(template)
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


def fields_of(template: str) -> set[str]:
    """Return the names of the fields in a name template; raises UsageError where it is not understood."""
    try:
        return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise UsageError(f"--name {template!r} is not understood: {error}") from None


def named(template: str, fields: Mapping[str, str], ends: Mapping[str, str] | None = None) -> pathlib.Path:
    """Fill a checked template with names that every file system takes, see `names.safe_name`.

    Parameters
    ----------
    template : str
    fields : mapping of str to str
        ``folder`` is a relative path: a part that is ``{folder}`` alone becomes several.
    ends : mapping of str to str, optional
        What has to stay at the end of a field where a part is too long for a file name, and its longest field is cut.
    """
    parts = []
    for part in pathlib.PurePath(template).parts:
        if part == f"{{{FOLDER}}}":
            parts += [_filled("{name}", {"name": one}, {}) for one in pathlib.PurePath(fields[FOLDER]).parts]
        else:
            parts.append(_filled(part, fields, ends or {}))
    return pathlib.Path(*parts)


def _filled(part: str, fields: Mapping[str, str], ends: Mapping[str, str]) -> str:
    values = dict(fields)
    while not fits(filled := safe_name(part.format_map(values))):
        longest = max(values, key=lambda field: len(values[field]) if f"{{{field}" in part else 0)
        end = ends.get(longest, "")
        values[longest] = values[longest][: -len(end) - 1] + end
    return filled


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
