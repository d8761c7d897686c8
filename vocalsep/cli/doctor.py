"""`vocalsep doctor`."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time

import typer

from .. import __version__
from ..errors import VocalsepError
from . import options

# What needs a package: None where nothing works without it, else the extra that brings it.
PACKAGES = {
    "numpy": None,
    "scipy": None,
    "soundfile": None,
    "av": None,
    "soxr": None,
    "mutagen": None,
    "torch": None,
    "librosa": None,
    "musdb": None,
    "museval": None,
    "onnxruntime": "onnx",
    "pillow": "video",
    "onnx": "onnx",
    "fastapi": "studio",
    "uvicorn": "studio",
    "ray": "ray",
    "fsspec": "remote",
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
    installed = {name: _version(name) for name in PACKAGES}
    typer.echo("packages   " + ", ".join(f"{name} {version}" for name, version in installed.items() if version))
    missing = [name for name, version in installed.items() if not version]
    for extra in sorted({PACKAGES[name] or "" for name in missing} - {""}):
        names = ", ".join(name for name in missing if PACKAGES[name] == extra)
        typer.echo(f"missing    {names}: pip install 'vocalsep[{extra}]' if you want it")
    needed = [name for name in missing if PACKAGES[name] is None]
    if needed:
        raise VocalsepError(f"{', '.join(needed)} missing", hint="install vocalsep again")
    typer.echo(f"libraries  {_libraries()}")
    typer.echo(f"devices    {_devices()}")
    _try_model(options)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _libraries() -> str:
    import av
    import soundfile

    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"{soundfile.__libsndfile_version__} of libsndfile, {codec} of FFmpeg's libavcodec"


def _devices() -> str:
    if importlib.util.find_spec("torch") is None:
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
