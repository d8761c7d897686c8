"""Wave-U-Net: a U-Net on the waveform.

D. Stoller, S. Ewert, S. Dixon: "Wave-U-Net: A Multi-Scale Neural Network for End-to-End Audio Source Separation", ISMIR
2018. The default is the paper's M4: with input context, without zero padding.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..checks import LONGEST_TILE, whole_number
from ..errors import ModelError
from .configs import LARGEST_FILTERS, NetworkConfig, one_of
from .network import WaveNetwork, middle

SLOPE = 0.2
UPSAMPLINGS = ("linear", "learned")
DEEPEST = 16


@dataclasses.dataclass(frozen=True)
class WaveUNetConfig(NetworkConfig):
    """A Wave-U-Net.

    Parameters
    ----------
    channels : int
        1 or 2, in and out.
    levels : int
        How often the rate is halved.
    filters : int
        Filters of the first level; level i has i + 1 times as many.
    kernel, merge_kernel : int
        Odd lengths of the kernels of encoder and decoder, in samples of their level.
    input_context : bool
        Convolutions are not padded: the output is shorter than the input, and tiles join without seams. Otherwise each
        tile is padded with silence. Called ``hears_context`` by earlier versions.
    difference : bool
        The accompaniment is the mixture minus the vocals; otherwise the network has a second output for it, which only
        training uses.
    upsampling : str
        ``linear``, or ``learned``: each filter has a weight that interpolates between neighbouring samples.
    tile : int
        Samples estimated at a time when a song is separated. Larger tiles are faster and need more memory.
    """

    former_names = {"hears_context": "input_context"}  # noqa: RUF012 - a ClassVar of the base class

    levels: int = 12
    filters: int = 24
    kernel: int = 15
    merge_kernel: int = 5
    input_context: bool = True
    difference: bool = True
    upsampling: str = "linear"
    tile: int = 131072

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("levels", self.levels, 1, DEEPEST)
        whole_number("filters", self.filters, 1, LARGEST_FILTERS)
        for name in ("kernel", "merge_kernel"):
            whole_number(name, getattr(self, name), 1, 63)
            if getattr(self, name) % 2 == 0:
                raise ModelError(f"{name} must be odd, not {getattr(self, name)}")
        for name in ("input_context", "difference"):
            if not isinstance(getattr(self, name), bool):
                raise ModelError(f"{name} must be true or false, not {getattr(self, name)!r}")
        one_of("upsampling", self.upsampling, UPSAMPLINGS)
        whole_number("tile", self.tile, 1, LONGEST_TILE)

    def input_samples(self, samples: int) -> int:
        """Return the number of mixture samples needed to estimate the `samples` in their middle.

        With 12 levels, 16384 samples need 147443, of which 16389 are estimated, as in the paper's code.
        """
        return self._sizes(samples)[0]

    @property
    def context_samples(self) -> int:
        """Number of input samples before, and as many after, those that are estimated."""
        needed, estimated = self._sizes(self.tile)
        return (needed - estimated) // 2

    def _sizes(self, samples: int) -> tuple[int, int]:
        """Return the numbers of input and of estimated samples; the latter is at least `samples`."""
        if not self.input_context:
            whole = -(-samples // 2**self.levels) * 2**self.levels
            return whole, whole
        bottom = samples
        for _ in range(self.levels):
            bottom = -(-(bottom + self.merge_kernel) // 2)
        needed, estimated = bottom + self.kernel - 1, bottom
        for _ in range(self.levels):
            needed, estimated = 2 * needed + self.kernel - 2, 2 * estimated - self.merge_kernel
        return needed, estimated


class WaveUNet(WaveNetwork):
    """Estimate the vocals' waveform from the mixture's."""

    Config = WaveUNetConfig

    def __init__(self, config: WaveUNetConfig):
        super().__init__()
        self.config: WaveUNetConfig = config
        self.sources = 1 if config.difference else 2
        levels, filters = config.levels, config.filters
        same = not config.input_context
        padding, merge_padding = (kernel // 2 if same else 0 for kernel in (config.kernel, config.merge_kernel))
        widths = [config.channels, *(filters * (level + 1) for level in range(levels + 1))]
        self.down = nn.ModuleList(
            nn.Conv1d(widths[level], widths[level + 1], config.kernel, padding=padding) for level in range(levels)
        )
        self.bottom = nn.Conv1d(widths[levels], widths[levels + 1], config.kernel, padding=padding)
        self.between = nn.ParameterList(
            nn.Parameter(torch.zeros(widths[level + 2], 1))
            for level in range(levels - 1, -1, -1)
            if config.upsampling == "learned"
        )
        self.merge = nn.ModuleList(
            nn.Conv1d(below + count, count, config.merge_kernel, padding=merge_padding)
            for below, count in zip(widths[:1:-1], widths[-2:0:-1], strict=True)
        )
        self.last = nn.Conv1d(widths[1] + config.channels, self.sources * config.channels, 1)

    def forward(self, mixture: Tensor) -> Tensor:
        """Return estimates (batch, sources * channels, samples) of the middle of a mixture (batch, channels, samples).

        The mixture has `WaveUNetConfig.input_samples` samples.
        """
        hidden = mixture
        skips: list[Tensor] = []
        for layer in self.down:
            skips.append(functional.leaky_relu(layer(hidden), SLOPE))
            hidden = skips[-1][..., ::2]
        hidden = functional.leaky_relu(self.bottom(hidden), SLOPE)
        for step, layer in enumerate(self.merge):
            hidden = self._upsampled(hidden, step)
            hidden = torch.cat([middle(skips.pop(), hidden.shape[-1]), hidden], dim=1)
            hidden = functional.leaky_relu(layer(hidden), SLOPE)
        joined = torch.cat([middle(mixture, hidden.shape[-1]), hidden], dim=1)
        return torch.tanh(self.last(joined))

    def _upsampled(self, hidden: Tensor, step: int) -> Tensor:
        """Interpolate a sample between every two; with padding, also one after the last."""
        following = hidden[..., 1:]
        before = hidden[..., :-1]
        if not self.config.input_context:
            before, following = hidden, torch.cat([following, hidden[..., -1:]], dim=-1)
        weight: Tensor | float = 0.5
        if self.config.upsampling == "learned":
            weight = torch.sigmoid(self.between[step])
        new = weight * before + (1 - weight) * following
        doubled = torch.stack([before, new], dim=-1).flatten(-2)
        return torch.cat([doubled, hidden[..., -1:]], dim=-1) if self.config.input_context else doubled
