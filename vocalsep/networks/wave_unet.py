"""Wave-U-Net: a U-Net on the waveform.

D. Stoller, S. Ewert, S. Dixon: "Wave-U-Net: A Multi-Scale Neural Network for End-to-End Audio Source Separation", ISMIR
2018. The default is the paper's M4: with input context, without zero padding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .configs.wave_unet import WaveUNetConfig
from .network import WaveNetwork, middle

SLOPE = 0.2


class WaveUNet(WaveNetwork):
    """Estimate the vocals' waveform from the mixture's."""

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
