"""The packages that only some features need, and the extras of vocalsep that install them."""

from __future__ import annotations

import importlib.util
import sys

from ..errors import MissingExtraError

# Packages without which nothing works, by the names that they are imported by.
BASE = ("numpy", "av", "mutagen", "onnxruntime", "platformdirs", "soundfile", "soxr", "tqdm", "typer")
# Those of each extra; `train` installs those of `torch` too, and `studio` those of `video`.
EXTRAS = {
    "torch": ("torch", "safetensors"),
    "train": (
        "torch",
        "safetensors",
        "librosa",
        "lightning_fabric",
        "matplotlib",
        "musdb",
        "museval",
        "onnx",
        "onnxscript",
        "scipy",
        "tensorboardX",
        "threadpoolctl",
        "tomli_w",
        *(("tomli",) if sys.version_info < (3, 11) else ()),
    ),
    "video": ("PIL",),
    "studio": ("fastapi", "PIL", "segno", "uvicorn"),
    "demucs": ("demucs",),
    "roformer": ("bs_roformer", "safetensors", "yaml"),
    "ray": ("ray",),
    "remote": ("fsspec", "s3fs"),
}
# Packages that are installed by other names than they are imported by.
DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml"}


def require(extra: str, feature: str) -> None:
    """Check that the packages of an extra are installed, without importing them.

    Parameters
    ----------
    extra : str
        A key of `EXTRAS`.
    feature : str
        What needs them, to begin a sentence with.

    Raises
    ------
    MissingExtraError
        A package is missing.
    """
    if missing(extra):
        raise MissingExtraError(
            f"{feature} needs packages that are not installed",
            hint=f'install them with: pip install "vocalsep[{extra}]"',
        )


def missing(extra: str) -> list[str]:
    """Return those packages of an extra that are not installed."""
    return [name for name in EXTRAS[extra] if not is_installed(name)]


def is_installed(package: str) -> bool:
    """Return whether a package can be found; importing it may still fail."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        # Another program's import hook may refuse a package, or an earlier import of it may have failed.
        return False
