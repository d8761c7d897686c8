"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import secrets

from ..errors import OutputError

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
