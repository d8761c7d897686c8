"""Output files that appear complete or not at all, and temporary folders."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator

from ..errors import DiskFullError, OutputError, OutputExistsError

DISK_FULL = "the disk is full"
ATTEMPTS = 100


class Pending:
    """An output file under a temporary name beside its target, until it is complete.

    Parameters
    ----------
    target : pathlib.Path
        Missing parent folders are created, and removed again if the file is not completed.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        The folder cannot be created or written to.
    """

    def __init__(self, target: pathlib.Path, overwrite: bool):
        self.target = target
        self.overwrite = overwrite
        self.path = target.with_name(f".vocalsep-{secrets.token_hex(6)}{target.suffix}")
        for attempt in range(ATTEMPTS):
            self._new_folders = _missing_parents(target)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                self.path.touch(exist_ok=False)
                return
            except (FileNotFoundError, FileExistsError) as error:
                # Another output was discarded, and removed the folder that both need.
                if attempt + 1 == ATTEMPTS:
                    raise _folder_error(target.parent, error) from None
            except OSError as error:
                self._remove_folders()
                raise _folder_error(target.parent, error) from None
            except BaseException:
                # An interrupt may come when the file is there, and nobody knows it yet.
                self.discard()
                raise

    def __enter__(self) -> Pending:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def commit(self) -> None:
        """Give the file its final name.

        Raises
        ------
        OutputExistsError
            A file of that name exists and must not be replaced.
        OutputError
            The file system refuses.
        """
        try:
            if self.overwrite:
                os.replace(self.path, self.target)
            else:
                self._link()
        except FileExistsError:
            raise OutputExistsError("exists already", path=self.target) from None
        except OSError as error:
            raise output_error(self.target, error) from None
        self._new_folders = []

    def discard(self) -> None:
        """Remove the temporary file and the folders created for it; after `commit` there is nothing to remove."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._remove_folders()

    def _link(self) -> None:
        # Unlike a rename, a link never replaces a file that another process has created in the meantime.
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
        for folder in self._new_folders:
            with contextlib.suppress(OSError):
                folder.rmdir()


def write_text(path: pathlib.Path, text: str) -> None:
    """Write a text file in UTF-8, as `write_bytes`.

    Bytes of file names that are not text become escapes, which JSON reads as the original name.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: pathlib.Path, data: bytes) -> None:
    """Write a file completely or not at all, and replace an existing one; raises OutputError."""
    with Pending(path, overwrite=True) as pending:
        try:
            pending.path.write_bytes(data)
        except OSError as error:
            raise output_error(path, error) from None
        pending.commit()


@contextlib.contextmanager
def temporary_folder() -> Iterator[pathlib.Path]:
    """Create a folder for temporary files, and remove it at the end; raises OutputError."""
    try:
        folder = tempfile.mkdtemp(prefix="vocalsep-")
    except OSError as error:
        raise OutputError(f"there is no folder for temporary files ({error})", hint="name one with TMPDIR") from None
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def output_error(path: str | os.PathLike[str], error: OSError, what: str = "cannot be written") -> OutputError:
    """Return the OutputError, or DiskFullError, for a file that could not be written.

    Parameters
    ----------
    path : str or path
    error : OSError
        What the system reported.
    what : str
        What failed.
    """
    kind = DiskFullError if error.errno == errno.ENOSPC else OutputError
    return kind(f"{what} ({os_error_text(error)})", path=path)


def os_error_text(error: OSError) -> str:
    """Return what an OSError says about its cause, in lower case."""
    return DISK_FULL if error.errno == errno.ENOSPC else (error.strerror or str(error)).lower()


def _folder_error(folder: pathlib.Path, error: OSError) -> OutputError:
    return output_error(folder, error, "cannot write to this folder")


def _missing_parents(target: pathlib.Path) -> list[pathlib.Path]:
    missing = []
    for folder in target.parents:
        if folder.exists():
            break
        missing.append(folder)
    return missing
