"""Names of files: safe on every file system, and compared as the least exact of them compare."""

from __future__ import annotations

import os
import re
import unicodedata

# Most file systems count the bytes of a name in 8 bits.
LONGEST_NAME = 255
# What Windows, exFAT and FAT take in no name.
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
# Devices of Windows, whatever suffix follows.
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]) *(\.|$)", re.IGNORECASE)


def safe_name(name: str) -> str:
    """Return a name that every file system takes: what Windows or exFAT forbid becomes ``_``.

    Parameters
    ----------
    name : str
        Of one file or folder; what separates folders is replaced too.

    Returns
    -------
    str
        At least one character, no device's name, and no dot or space at its end.
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


def alike(name: str) -> str:
    """Return what all names have in common that Windows, macOS or exFAT may take for the same one.

    Those ignore case, and macOS how accents are encoded.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
