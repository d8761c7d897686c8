"""Templates for the names of outputs."""

from __future__ import annotations

import os
import pathlib
import string
from collections.abc import Mapping

from ..errors import UsageError
from ..system.names import LONGEST_NAME, fits, safe_name

NAME_FIELDS = ("name", "source", "folder", "stem", "ext", "model")
FOLDER = "folder"


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
