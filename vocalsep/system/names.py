"""File names: valid on every file system, and compared as the least exact file system compares them."""

from __future__ import annotations

import os
import re
import unicodedata

# Bytes in a name that most file systems allow.
LONGEST_NAME = 255
# Characters that Windows, exFAT and FAT forbid.
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
# Names of devices on Windows, with any suffix.
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]) *(\.|$)", re.IGNORECASE)


def safe_name(name: str) -> str:
    """Return a name that is valid on every file system: what Windows or exFAT forbid becomes ``_``.

    Parameters
    ----------
    name : str
        Name of one file or folder; separators of folders are replaced too.

    Returns
    -------
    str
        At least one character, not the name of a device, without a dot or space at its end.
    """
    name = FORBIDDEN.sub("_", name)
    bare = name.rstrip(". ")
    name = bare + "_" * (len(name) - len(bare))
    reserved = RESERVED.match(name)
    if reserved:
        end = reserved.end(1)
        name = f"{name[:end]}_{name[end:]}"
    return name or "_"


def fits(name: str) -> bool:
    """Whether a name is short enough for a file system."""
    return len(os.fsencode(name)) <= LONGEST_NAME


def comparison_key(name: str) -> str:
    """Return a key that is equal for names that Windows, macOS or exFAT may consider the same.

    They ignore case, and macOS ignores how accents are encoded.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
