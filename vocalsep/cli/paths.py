"""Checks of the paths that the user names, before any work is done."""

from __future__ import annotations

import pathlib

from ..errors import OutputExistsError, UsageError


def local_path(name: str) -> pathlib.Path:
    """Return the path of a file that cannot be remote; raises UsageError for a URL."""
    from ..jobs.remote import DOWNLOAD_HINT, is_remote, is_web

    path = pathlib.Path(name)
    if (is_remote(name) or is_web(name)) and not path.exists():
        raise UsageError(DOWNLOAD_HINT, path=name)
    return path


def check_output(path: pathlib.Path, overwrite: bool) -> None:
    """Raise OutputExistsError where a file exists that must not be replaced."""
    if path.exists() and not overwrite:
        raise OutputExistsError("exists already", path=path)


def check_model_output(path: pathlib.Path, overwrite: bool, suffix: str = ".safetensors") -> None:
    """Check the name of a model file as `check_output`; raises UsageError where its suffix is another."""
    if path.suffix != suffix:
        raise UsageError(f"the name of such a model ends in {suffix}", path=path)
    check_output(path, overwrite)
