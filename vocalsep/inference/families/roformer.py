"""BS-RoFormer and Mel-Band RoFormer: transformers over the bands and frames of a spectrum.

W.-T. Lu, J.-C. Wang, Q. Kong, Y.-N. Hung: "Music source separation with band-split RoPE transformer", ICASSP 2024;
J.-C. Wang, W.-T. Lu, M. Won: "Mel-Band RoFormer for music source separation", 2023. The networks are those of the
package bs-roformer 0.3, which published weights were trained with; later releases of it are other networks.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import pathlib
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...checks import whole_number
from ...errors import MissingExtraError, ModelError
from ...system.extras import require
from ..backend import SegmentShape
from .table import FamilyConfig, Running, Runtime

if TYPE_CHECKING:
    import torch

BS, MEL = "bs", "mel"
PACKAGE, RELEASE = "bs-roformer", "0.3."
EXTRA_HINT = 'install the right one with: pip install "vocalsep[roformer]"'
# Whole numbers that describe a network, and the most that each may be.
LARGEST = {
    "dim": 2048,
    "depth": 48,
    "time_transformer_depth": 8,
    "freq_transformer_depth": 8,
    "dim_head": 256,
    "heads": 64,
    "stft_n_fft": 1 << 14,
    "stft_hop_length": 1 << 13,
    "stft_win_length": 1 << 14,
    "mask_estimator_depth": 8,
    "mlp_expansion_factor": 16,
    "num_bands": 512,
}
MOST_BANDS = 1024
CHANNELS = 2
# Weights have at least 16 bits.
BYTES_OF_VALUE = 2
# With this one, the package builds all its networks; it has no setting for others.
USUAL_EXPANSION = 4


@dataclasses.dataclass(frozen=True)
class Config:
    """Network and segments.

    Parameters
    ----------
    kind : str
        ``bs`` or ``mel``.
    network : dict
        Settings of the network by their names in the package: whole numbers, and ``freqs_per_bands``, a list of them.
    sources : tuple of str
        What the network gives, in order.
    samples : int
        Samples of a segment.
    overlaps : int
        How many segments each sample is in.
    sample_rate : int
        Hz.
    """

    kind: str
    network: dict[str, Any]
    sources: tuple[str, ...]
    samples: int
    overlaps: int = 2
    sample_rate: int = 44100

    def __post_init__(self) -> None:
        if self.kind not in (BS, MEL):
            raise ModelError(f"kind must be {BS} or {MEL}, not {self.kind!r}")
        object.__setattr__(self, "sources", tuple(self.sources))
        whole_number("overlaps", self.overlaps, 1, 64)
        whole_number("sample_rate", self.sample_rate, 8000, 192000)
        bands = "freqs_per_bands" if self.kind == BS else "num_bands"
        known = {*LARGEST, "freqs_per_bands"} - ({"num_bands"} if self.kind == BS else {"freqs_per_bands"})
        if unknown := sorted(set(self.network) - known):
            raise ModelError(f"the network has settings that are not supported: {', '.join(unknown)}")
        for name in ("dim", "depth", bands):
            if name not in self.network:
                raise ModelError(f"the network's configuration has no {name}")
        for name, value in self.network.items():
            if name in LARGEST:
                whole_number(name, value, 1, LARGEST[name])
        if self.kind == BS:
            _check_bands(self.network["freqs_per_bands"], self.network.get("stft_n_fft", 2048))
        _ = self.shape
        hop = self.network.get("stft_hop_length", 512)
        if self.samples % hop or self.samples < self.network.get("stft_n_fft", 2048):
            raise ModelError(f"a segment must be whole hops of {hop} samples and longer than a window")

    @property
    def shape(self) -> SegmentShape:
        """Overlapping segments with Hamming windows."""
        hop = max(1, self.samples // self.overlaps)
        return SegmentShape(CHANNELS, self.samples, hop, self.sources, window="hamming", ending="shifted")

    @property
    def least_values(self) -> int:
        """Number of values in the largest parts of the network: attention, feed-forward layers, estimators of masks."""

        def setting(name: str, usual: int) -> int:
            return int(self.network.get(name, usual))

        dim, inner = setting("dim", 1), setting("heads", 8) * setting("dim_head", 64)
        layers = setting("depth", 1) * (setting("time_transformer_depth", 2) + setting("freq_transformer_depth", 2))
        bands = len(self.network["freqs_per_bands"]) if self.kind == BS else setting("num_bands", 60)
        hidden = dim * setting("mlp_expansion_factor", USUAL_EXPANSION)
        between = setting("mask_estimator_depth", 1) - 1
        estimator = 0 if between == 0 else dim * hidden + (between - 1) * hidden**2
        return layers * (4 * dim * inner + 8 * dim**2) + len(self.sources) * bands * estimator


def _check_bands(bands: Any, n_fft: int) -> None:
    if not isinstance(bands, list | tuple) or not 1 < len(bands) <= MOST_BANDS:
        raise ModelError("freqs_per_bands must be a list of numbers of bins")
    for width in bands:
        whole_number("a number of freqs_per_bands", width, 1, n_fft)
    if sum(bands) != n_fft // 2 + 1:
        raise ModelError(f"freqs_per_bands must sum to {n_fft // 2 + 1} bins, not {sum(bands)}")


def build(config: Config, size: int) -> torch.nn.Module:
    """Return the network with random weights.

    Parameters
    ----------
    config : Config
    size : int
        Bytes of the file with its weights: a network that has more is not allocated.

    Raises
    ------
    MissingExtraError
        The package is not installed, or in a release with other networks.
    ModelError
        The network is larger than the file, or the package refuses the configuration.
    """
    if config.least_values * BYTES_OF_VALUE > size:
        raise ModelError("the network's configuration asks for more weights than the file has")
    require("roformer", "a RoFormer")
    # The package, and one that it imports, call functions that later releases of torch warn of.
    for message in (".*sdp_kernel.*", r".*torch\.cuda\.amp\.autocast.*"):
        warnings.filterwarnings("ignore", message=message, category=FutureWarning)
    warnings.filterwarnings("ignore", message="A window was not provided", category=UserWarning)
    import bs_roformer
    from bs_roformer import bs_roformer as bs_module
    from bs_roformer import mel_band_roformer as mel_module

    settings = dict(config.network)
    expansion = settings.pop("mlp_expansion_factor", USUAL_EXPANSION)
    if config.kind == BS:
        kind, module = bs_roformer.BSRoformer, bs_module
        settings["freqs_per_bands"] = tuple(settings["freqs_per_bands"])
    else:
        kind, module = bs_roformer.MelBandRoformer, mel_module
        settings["sample_rate"] = config.sample_rate
    if not importlib.metadata.version(PACKAGE).startswith(RELEASE):
        raise MissingExtraError(f"{PACKAGE} is installed in a release with other networks", hint=EXTRA_HINT)
    try:
        network = kind(stereo=True, num_stems=len(config.sources), **settings)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"the network's configuration makes no sense ({error})") from None
    if expansion != USUAL_EXPANSION:
        for index, estimator in enumerate(network.mask_estimators):
            network.mask_estimators[index] = module.MaskEstimator(
                dim=settings["dim"],
                dim_inputs=estimator.dim_inputs,
                depth=settings.get("mask_estimator_depth", 2 if config.kind == BS else 1),
                mlp_expansion_factor=expansion,
            )
    return network


def open_backend(path: pathlib.Path, config: FamilyConfig, runtime: Runtime) -> Running:
    """Open a converted checkpoint, see `table.FamilyModule`."""
    from .torch_segments import load_weights, start

    if not isinstance(config, Config):
        raise TypeError(f"{type(config).__name__} is the configuration of another family")
    network = load_weights(path, build(config, path.stat().st_size))

    def on_device(device: torch.device) -> Any:
        network.to(device)

        def estimate(mixtures: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
            estimates = network(mixtures)
            every = estimates if estimates.ndim == 4 else estimates[:, None]
            return every[:, [config.sources.index(name) for name in names]]

        return estimate

    return start(config.shape, runtime, on_device)


def settings_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a published configuration's section ``model`` that make a difference when it is used.

    Raises
    ------
    ModelError
        It asks for parts that the package does not have.
    """
    for name, absent in (("linear_transformer_depth", 0), ("skip_connection", False), ("stft_normalized", False)):
        if model.get(name, absent) not in (absent, None):
            raise ModelError(f"the network has {name} {model[name]!r}, which bs-roformer 0.3 has not")
    if model.get("stereo") is not True:
        raise ModelError("the network is not for stereo, as all published ones are")
    settings = {name: model[name] for name in LARGEST if name in model}
    if "freqs_per_bands" in model:
        settings["freqs_per_bands"] = list(model["freqs_per_bands"])
    return settings
