"""`vocalsep doctor`."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import itertools
import os
import platform
import sys
import time

import typer

from .. import __version__
from ..errors import VocalsepError
from ..system.extras import BASE, DISTRIBUTIONS, EXTRAS, is_installed, missing
from . import options

# What each extra is for.
PURPOSES = {
    "torch": "GPUs, and models without an ONNX file",
    "train": "training, evaluation, plots and export",
    "video": "karaoke videos",
    "studio": "the studio",
    "demucs": "models of Demucs",
    "roformer": "RoFormers",
    "ray": "a Ray cluster",
    "remote": "URLs",
}
TRIAL_S = 2.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class DoctorOptions(options.DeviceOptions):
    """The options of doctor."""

    model: options.Model = "default"


def doctor(options: DoctorOptions) -> None:
    """Check this installation: versions, devices, the model, and a separation of two seconds.

    What it prints fits a screen, to paste into a report. Exit code 2 where something that is needed does not work.
    """
    typer.echo(f"vocalsep   {__version__}, Python {platform.python_version()}, {sys.executable}")
    typer.echo(f"system     {platform.platform()}, {os.cpu_count()} cores")
    names = dict.fromkeys([*BASE, *itertools.chain.from_iterable(EXTRAS.values())])
    versions = {name: _version(name) for name in names}
    typer.echo("packages   " + ", ".join(f"{name} {version}" for name, version in versions.items() if version))
    needed = [name for name in BASE if not is_installed(name)]
    if needed:
        raise VocalsepError(f"{', '.join(needed)} missing", hint="install vocalsep again")
    reported: set[str] = set()
    for extra, purpose in PURPOSES.items():
        absent = [name for name in missing(extra) if name not in reported]
        reported.update(absent)
        if absent:
            typer.echo(f'missing    {", ".join(absent)}: for {purpose}, pip install "vocalsep[{extra}]"')
    typer.echo(f"libraries  {_libraries()}")
    typer.echo(f"devices    {_devices()}")
    _try_model(options)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(package, package)) if is_installed(package) else ""
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _libraries() -> str:
    import av
    import soundfile

    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"{soundfile.__libsndfile_version__} of libsndfile, {codec} of FFmpeg's libavcodec"


def _devices() -> str:
    if not is_installed("torch"):
        return "cpu"
    import torch

    names = ["cpu"]
    names += [f"cuda:{index} ({torch.cuda.get_device_name(index)})" for index in range(torch.cuda.device_count())]
    names += ["mps"] if torch.backends.mps.is_available() else []
    return ", ".join(names)


def _try_model(options: DoctorOptions) -> None:
    import numpy as np

    from ..model_files import registry
    from ..separator import Separator

    path = registry.find(options.model)
    published = "as published" if options.model in registry.shipped() else "not a shipped model"
    typer.echo(f"model      {options.model}: {path.stat().st_size / 1e6:.1f} MB, checksum {published}")
    separator = Separator(options.model, device=options.device.value, threads=options.threads)
    rate = separator.sample_rate
    mixture = np.random.default_rng(0).uniform(-0.1, 0.1, (2, round(TRIAL_S * rate))).astype(np.float32)
    started = time.perf_counter()
    stems = separator.separate(mixture, rate)
    took_s = time.perf_counter() - started
    error = float(np.abs(stems.vocals + stems.accompaniment - mixture).max())
    typer.echo(
        f"separation {TRIAL_S:g} s {separator.where} in {took_s:.2f} s; the stems sum to the mixture to {error:.0e}"
    )
    typer.echo("all is well")
