"""MDX23C: the TFC-TDF-UNet v3 (see `mdx23c_network`) between two transforms, in segments."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...checks import whole_number
from ...dsp.front_end import LARGEST_FFT
from ...errors import ModelError
from ...system.extras import require
from ..backend import SegmentShape
from .table import FamilyConfig, Running, Runtime

if TYPE_CHECKING:
    import torch

CHANNELS = 2
# Whole numbers that describe a network, and the most that each may be.
LARGEST = {
    "num_subbands": 64,
    "num_scales": 8,
    "num_blocks_per_scale": 16,
    "num_channels": 1024,
    "growth": 1024,
    "bottleneck_factor": 64,
}
LARGEST_SCALE = 8
MOST_OVERLAPS = 64


@dataclasses.dataclass(frozen=True)
class Config:
    """Network, transform and segments.

    Parameters
    ----------
    network : dict
        Settings as `mdx23c_network.Network` has them.
    sources : tuple of str
        What the network gives, in order.
    n_fft, hop : int
        Samples of a window, and from one to the next.
    bins, frames : int
        Of the network's input; higher bins are silent in the result.
    overlaps : int
        How many segments each sample is in.
    sample_rate : int
        Hz.
    """

    network: dict[str, Any]
    sources: tuple[str, ...]
    n_fft: int
    hop: int
    bins: int
    frames: int
    overlaps: int = 4
    sample_rate: int = 44100

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", tuple(self.sources))
        whole_number("sample_rate", self.sample_rate, 8000, 192000)
        whole_number("n_fft", self.n_fft, 16, LARGEST_FFT)
        whole_number("hop", self.hop, 1, self.n_fft)
        whole_number("bins", self.bins, 1, self.n_fft // 2 + 1)
        whole_number("frames", self.frames, 2, 1 << 13)
        whole_number("overlaps", self.overlaps, 1, MOST_OVERLAPS)
        if set(self.network) != {*LARGEST, "scale", "norm", "act"}:
            raise ModelError("the network's settings are incomplete, or of another network")
        for name, largest in LARGEST.items():
            whole_number(name, self.network[name], 0 if name == "growth" else 1, largest)
        scale = self.network["scale"]
        if not isinstance(scale, list | tuple) or len(scale) != 2:
            raise ModelError("scale must be two numbers")
        for factor in scale:
            whole_number("scale", factor, 1, LARGEST_SCALE)
        levels = self.network["num_scales"]
        if self.bins % (self.network["num_subbands"] * scale[1] ** levels) or self.frames % scale[0] ** levels:
            raise ModelError(f"the network cannot halve {self.bins} bins and {self.frames} frames so often")
        if self.samples <= self.n_fft:
            raise ModelError(f"a segment of {self.frames} frames is too short for windows of {self.n_fft} samples")
        _ = self.shape

    @property
    def samples(self) -> int:
        """Samples of a segment."""
        return (self.frames - 1) * self.hop

    @property
    def shape(self) -> SegmentShape:
        """Segments of equal weight, of which the first ones begin before the song."""
        hop = max(1, self.samples // self.overlaps)
        return SegmentShape(
            CHANNELS, self.samples, hop, self.sources, window="flat", ending="silence", before=self.samples - hop
        )


def build(config: Config) -> torch.nn.Module:
    """Return the network without values, on the device ``meta``.

    Raises
    ------
    MissingExtraError
        torch is not installed.
    ModelError
        The settings make no sense.
    """
    require("torch", "computing MDX23C")
    import torch

    from .mdx23c_network import Network

    try:
        with torch.device("meta"):
            return Network(2 * CHANNELS, len(config.sources), config.bins, config.network)
    except (ArithmeticError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"the network's configuration makes no sense ({error})") from None


def open_backend(path: pathlib.Path, config: FamilyConfig, runtime: Runtime) -> Running:
    """Open a converted checkpoint, see `table.FamilyModule`."""
    if not isinstance(config, Config):
        raise TypeError(f"{type(config).__name__} is the configuration of another family")
    network = build(config)

    import torch

    from .torch_segments import load_weights, start

    load_weights(path, network)

    def on_device(device: torch.device) -> Any:
        network.to(device)
        window = torch.hann_window(config.n_fft, device=device)

        def estimate(mixtures: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
            batch, channels, samples = mixtures.shape
            spectrum = torch.stft(
                mixtures.reshape(-1, samples), config.n_fft, config.hop, window=window, return_complex=True
            )[:, : config.bins]
            planes = torch.view_as_real(spectrum).permute(0, 3, 1, 2)
            estimates = network(planes.reshape(batch, 2 * channels, config.bins, -1))
            estimates = estimates[:, [config.sources.index(name) for name in names]].float()
            parts = estimates.reshape(-1, 2, config.bins, config.frames)
            missing = config.n_fft // 2 + 1 - config.bins
            whole = torch.nn.functional.pad(torch.complex(parts[:, 0], parts[:, 1]), (0, 0, 0, missing))
            signals = torch.istft(whole, config.n_fft, config.hop, window=window, length=samples)
            return signals.reshape(batch, len(names), channels, samples)

        return estimate

    return start(config.shape, runtime, on_device)
