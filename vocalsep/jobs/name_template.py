"""Templates for the names of outputs."""

from __future__ import annotations

import os
import pathlib
import string
from collections.abc import Mapping

from ..errors import InvalidOutputNamesError
from ..system.names import LONGEST_NAME, fits, safe_name

NAME_FIELDS = ("name", "source", "folder", "stem", "ext", "model")
FOLDER = "folder"


def check_template(template: str, stems: int) -> None:
    """Check a name template for a number of stems, before any work is done.

    Raises
    ------
    InvalidOutputNamesError
        It has unknown fields, gives several stems the same name, leads out of the output folder, or cannot be filled
        with names that fit a file system.
    """
    fields = template_fields(template)
    unknown = fields - set(NAME_FIELDS)
    if unknown:
        known = ", ".join(f"{{{field}}}" for field in NAME_FIELDS)
        raise InvalidOutputNamesError(
            f"name template {template!r} has an unknown field {{{sorted(unknown)[0]}}}; known are {known}"
        )
    if stems > 1 and "stem" not in fields:
        raise InvalidOutputNamesError(f"name template {template!r} lacks {{stem}}: both stems would have one name")
    parts = pathlib.PurePath(template).parts
    if not parts or pathlib.PurePath(template).is_absolute() or ".." in parts:
        raise InvalidOutputNamesError(
            f"name template {template!r} must be a relative path below the output folder, without '..'"
        )
    try:
        longest = max(len(os.fsencode(part.format_map(dict.fromkeys(NAME_FIELDS, "x")))) for part in parts)
    except (ValueError, LookupError) as error:
        raise InvalidOutputNamesError(f"name template {template!r} is not understood: {error}") from None
    if longest > LONGEST_NAME:
        raise InvalidOutputNamesError(
            f"name template {template!r} makes names of more than {LONGEST_NAME} bytes; shorten it"
        )


def template_fields(template: str) -> set[str]:
    """Return the names of the fields in a template; raises InvalidOutputNamesError where it is malformed."""
    try:
        return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise InvalidOutputNamesError(f"name template {template!r} is not understood: {error}") from None


def fill_template(template: str, fields: Mapping[str, str], endings: Mapping[str, str] | None = None) -> pathlib.Path:
    """Fill in a checked template; each part becomes a name for every file system, see `names.safe_name`.

    Parameters
    ----------
    template : str
    fields : mapping of str to str
        ``folder`` is a relative path: a part that is ``{folder}`` alone becomes several parts.
    endings : mapping of str to str, optional
        The end of a field that must be kept where a part is too long for a file name, and its longest field is cut.
    """
    parts = []
    for part in pathlib.PurePath(template).parts:
        if part == f"{{{FOLDER}}}":
            parts += [_fill("{name}", {"name": name}, {}) for name in pathlib.PurePath(fields[FOLDER]).parts]
        else:
            parts.append(_fill(part, fields, endings or {}))
    return pathlib.Path(*parts)


def _fill(part: str, fields: Mapping[str, str], endings: Mapping[str, str]) -> str:
    values = dict(fields)
    while not fits(name := safe_name(part.format_map(values))):
        longest = max(values, key=lambda field: len(values[field]) if f"{{{field}" in part else 0)
        ending = endings.get(longest, "")
        values[longest] = values[longest][: -len(ending) - 1] + ending
    return name
