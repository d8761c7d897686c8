"""Add a model to the user's own, and remove it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import time
from collections.abc import Iterator

import numpy as np

from ..checks import shown
from ..errors import ModelError, OutputExistsError, UsageError, VocalsepError
from ..inference.backend import VOCALS, SegmentBackend
from ..inference.engine import Engine
from ..model_files import registry, store
from ..model_files.checkpoint import HEADER_KEY
from ..model_files.onnx_metadata import metadata_bytes
from ..system.atomic_files import Pending, output_error
from ..system.names import fits, safe_name
from .download import download, file_name, is_url, remove_download
from .formats import demucs_file
from .formats.given import Converted, Given
from .formats.table import convert

DOWNLOADS = ".downloads"
OS_ERROR = re.compile(r"os error (\d+)")
# Samples of noise that a model without segments computes on trial.
TRIAL_S = 5.0


@dataclasses.dataclass(frozen=True)
class Added:
    """A model that was added; `licence` and `remarks` as its card has them."""

    name: str
    path: pathlib.Path
    licence: str
    remarks: str
    seconds_per_second: float


def add(
    source: str,
    *,
    name: str | None = None,
    config: str | None = None,
    sha256: str | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Added:
    """Add a model: download it if need be, convert it, try it, and keep it under a name.

    Parameters
    ----------
    source : str
        A file or a web address.
    name : str, optional
        By default the file's own without its suffix.
    config : str, optional
        File or web address of the configuration of the network, for those that are not in one file.
    sha256 : str, optional
        Of the file, in hexadecimal, which is verified.
    overwrite : bool
        Replace an added model of that name.
    progress : bool
        Show the progress of downloads on standard error.

    Raises
    ------
    ModelError
        The file is damaged, of no known kind, or cannot be downloaded or computed.
    OutputExistsError
        There is a model of that name.
    OutputError
        The model cannot be written.
    UsageError
        The name is impossible or that of a shipped model, or an address or checksum makes no sense; MissingExtraError
        where packages are missing.
    """
    chosen = _free_name(name if name is not None else _default_name(source), overwrite)
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(_local(source, sha256, progress))
        extra = None if config is None else stack.enter_context(_local(config, None, progress))
        if is_url(source) and path.suffix.lower() in demucs_file.YAML_SUFFIXES:
            _fetch_members(source, path, stack, progress)
        # What follows a question mark may be a password.
        given = Given(path, extra, source.partition("?")[0] if is_url(source) else source)
        with _errors_about(source, path):
            converted = convert(given)
        return _keep(chosen, given, converted, overwrite)


def remove(name: str) -> None:
    """Remove an added model.

    Raises
    ------
    UsageError
        There is none of that name, or it ships with vocalsep.
    OutputError
        It cannot be removed.
    """
    if name in registry.shipped():
        raise UsageError(f"{name} ships with vocalsep and cannot be removed")
    path = store.added().get(name)
    if path is None:
        raise UsageError(f"no model {name!r} was added; added are {', '.join(store.added()) or 'none'}")
    try:
        # Without its record, a file is no model.
        store.record_path(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error, "cannot be removed") from None


@contextlib.contextmanager
def _errors_about(source: str, path: pathlib.Path) -> Iterator[None]:
    """Let errors be about what the user named, rather than about a file that was made of it, or about none."""
    try:
        yield
    except VocalsepError as error:
        if error.path in (None, str(path)):
            error.path = source
        raise


def _default_name(source: str) -> str:
    return pathlib.PurePath(file_name(source) if is_url(source) else source).stem


def _free_name(name: str, overwrite: bool) -> str:
    if not name or name != safe_name(name) or name.startswith((".", "-")) or not fits(name + ".safetensors"):
        raise UsageError(f"{shown(name)} cannot be the name of a model", hint="take letters, digits, - and _")
    if name in registry.shipped():
        raise UsageError(f"{name} is the name of a model that ships with vocalsep", hint="choose another name")
    if name in store.added() and not overwrite:
        raise OutputExistsError("a model of that name was added already", path=name)
    return name


@contextlib.contextmanager
def _local(source: str, sha256: str | None, progress: bool) -> Iterator[pathlib.Path]:
    """Give a file on this machine; a downloaded one is removed at the end, unless another command can go on with it."""
    if not is_url(source):
        path = pathlib.Path(source)
        if not path.is_file():
            raise ModelError("no such model file", path=path)
        if sha256 is not None and registry.checksum(path) != sha256.strip().lower():
            raise ModelError("its SHA-256 is not the one given", path=path, hint="nothing was added")
        yield path
        return
    whole = download(source, store.store_folder() / DOWNLOADS, sha256=sha256, progress=progress)
    try:
        yield whole
    except (UsageError, KeyboardInterrupt):
        # An option or an extra is missing: the file is right.
        raise
    except BaseException:
        remove_download(whole)
        raise
    remove_download(whole)


def _fetch_members(url: str, bag: pathlib.Path, stack: contextlib.ExitStack, progress: bool) -> None:
    """Download the networks of a bag, which are beside it on a model hub, to the same folder here."""
    base, query = url.partition("?")[::2]
    for member in demucs_file.members(bag):
        if (bag.parent / f"{member}.safetensors").is_file():
            # From an earlier attempt.
            continue
        address = f"{base.rpartition('/')[0]}/{member}.safetensors{'?' * bool(query)}{query}"
        whole = stack.enter_context(_local(address, None, progress))
        whole.rename(bag.parent / whole.name)


def _keep(name: str, given: Given, converted: Converted, overwrite: bool) -> Added:
    """Write a converted model under a temporary name, try it, and give it its name."""
    suffix = registry.SUFFIX if converted.weights is not None else given.path.suffix.lower()
    target = store.store_folder() / f"{name}{suffix}"
    with Pending(target, overwrite=overwrite) as pending:
        try:
            _write(pending.path, given, converted)
        except OSError as error:
            raise output_error(target, error) from None
        with _errors_about(given.origin, pending.path):
            seconds = trial(pending.path)
        record = store.Record(
            sha256=registry.checksum(pending.path),
            origin=given.origin,
            origin_sha256=registry.checksum(given.path),
            seconds_per_second=round(seconds, 3),
        )
        former = store.added().get(name)
        pending.commit()
        store.write_record(target, record)
        if former is not None and former != target:
            former.unlink(missing_ok=True)
    card = _card(target)
    return Added(name, target, str(card.get("licence", "not stated")), str(card.get("remarks", "")), seconds)


def _write(path: pathlib.Path, given: Given, converted: Converted) -> None:
    if converted.info is None:
        path.write_bytes(given.path.read_bytes())
        return
    metadata = json.dumps(converted.info.to_dict())
    if converted.weights is None:
        path.write_bytes(given.path.read_bytes() + metadata_bytes(HEADER_KEY, metadata))
        return
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file(converted.weights, path, {HEADER_KEY: metadata})
    except SafetensorError as error:
        # Its text alone has the number of what the system refused.
        code = OS_ERROR.search(str(error))
        raise OSError(int(code[1]), os.strerror(int(code[1]))) if code else OSError(str(error)) from None


def trial(path: pathlib.Path) -> float:
    """Compute some noise with a model, which shows whether it can be computed; return seconds per second of song.

    Raises
    ------
    ModelError
        The model returns NaN or infinite samples, or another shape than it declares.
    """
    engine = Engine(path)
    backend, rate = engine.backend, engine.sample_rate
    if isinstance(backend, SegmentBackend):
        shape = backend.shape
        # Of a fine-tuned bag, only the vocals' network runs in everyday use.
        names = (VOCALS,) if VOCALS in shape.sources else shape.sources
        noise = _noise(shape.channels, shape.samples)
        started = time.perf_counter()
        sources = backend.start(lambda: backend.sources(noise[None], names)).result()
        if not np.isfinite(sources).all() or sources.shape != (1, len(names), *noise.shape):
            raise ModelError("returns samples that are no numbers, or of another shape than it declares")
        return (time.perf_counter() - started) / backend.parallel_calls * rate / shape.hop
    noise = _noise(2, int(TRIAL_S * rate))
    started = time.perf_counter()
    for _ in engine.vocals_of([noise], rate, 2):
        pass
    return (time.perf_counter() - started) / TRIAL_S


def _noise(channels: int, samples: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal((channels, samples), np.float32)


def _card(path: pathlib.Path) -> dict[str, object]:
    from ..inference.opening import model_info

    return model_info(path).card
