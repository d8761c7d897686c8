"""Find models by name, for those that ship with vocalsep and those that the user has added, or by path."""

from __future__ import annotations

import hashlib
import pathlib

from ..errors import ModelError
from . import store

SUFFIX = ".safetensors"
EXPORTED_SUFFIX = ".onnx"
CHECKSUMS = "SHA256SUMS"
DEFAULT = "default"


def models_folder() -> pathlib.Path:
    """Return the folder of the shipped models: inside the installed package, or beside it in a source checkout."""
    package = pathlib.Path(__file__).resolve().parent.parent
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def shipped() -> dict[str, pathlib.Path]:
    """Return name and path of every model that ships with vocalsep."""
    return {path.name.removesuffix(SUFFIX): path for path in sorted(models_folder().glob(f"*{SUFFIX}"))}


def named() -> dict[str, pathlib.Path]:
    """Return name and path of every model that has a name; an added one never hides a shipped one."""
    return {**store.added(), **shipped()}


def find(model: str | pathlib.Path) -> pathlib.Path:
    """Turn a model's name or path into the path of its file.

    The checksum of a model with a name is verified, to detect damage.

    Raises
    ------
    ModelError
        There is no such name or file, or the checksum is wrong.
    """
    if str(model) in shipped():
        return _verified(shipped()[str(model)])
    if str(model) in store.added():
        return _verified_added(store.added()[str(model)])
    path = pathlib.Path(model)
    if path.is_file():
        return path
    if path.suffix in (SUFFIX, EXPORTED_SUFFIX) or len(path.parts) > 1:
        raise ModelError("no such model file", path=path, hint="`vocalsep models` lists those with a name")
    raise ModelError(f"unknown model {str(model)!r}; known are {', '.join(named()) or 'none'}, or give a path")


def exported(model: pathlib.Path) -> pathlib.Path | None:
    """Return the ONNX file of a model from `find`: the file itself, or the shipped one beside it; None without one.

    Raises
    ------
    ModelError
        The checksum of a shipped file is wrong.
    """
    if model.suffix == EXPORTED_SUFFIX:
        return model
    beside = model.with_suffix(EXPORTED_SUFFIX)
    if model not in shipped().values() or not beside.is_file():
        return None
    return _verified(beside)


def checksum(path: pathlib.Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; raises ModelError if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", path=path) from None
    return digest.hexdigest()


def published_checksums() -> dict[str, str]:
    """Return file name and SHA-256 of the shipped models, from the list beside them."""
    listing = models_folder() / CHECKSUMS
    if not listing.is_file():
        return {}
    pairs = (line.split() for line in listing.read_text("utf-8").splitlines() if line.strip())
    return {name: digest for digest, name in pairs}


def _verified(path: pathlib.Path) -> pathlib.Path:
    expected = published_checksums().get(path.name)
    if expected is not None and checksum(path) != expected:
        raise ModelError("the checksum is wrong", path=path, hint="install vocalsep again")
    return path


def _verified_added(path: pathlib.Path) -> pathlib.Path:
    if checksum(path) != store.read_record(path).sha256:
        raise ModelError(
            "the checksum is wrong: it has changed since it was added",
            path=path,
            hint=f"add it again, after `vocalsep models remove {path.stem}`",
        )
    return path
