"""Transposed convolutions as ordinary ones: each phase of the output is a convolution with some of the taps.

W. Shi et al.: "Is the deconvolution layer the same as a convolutional layer?", arXiv:1609.07009. ONNX Runtime
computes a transposed convolution as a matrix product with a large intermediate result; computed by phases it is faster
and needs less memory.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PhasedConvTranspose2d(nn.Module):
    """A two-dimensional transposed convolution, computed phase by phase.

    Parameters
    ----------
    layer : nn.ConvTranspose2d
        A layer for which `divides` is true.
    """

    def __init__(self, layer: nn.ConvTranspose2d):
        super().__init__()
        self.bias = layer.bias
        self.padding: list[list[tuple[int, int, int, int]]] = []
        self.weights = nn.ParameterList()
        vertical, horizontal = (_phases(*side[:3]) for side in _sides(layer))
        for above, below, rows in vertical:
            padding = []
            for left, right, columns in horizontal:
                taps = layer.weight.detach()[:, :, rows][:, :, :, columns]
                self.weights.append(nn.Parameter(taps.transpose(0, 1).contiguous(), requires_grad=False))
                padding.append((left, right, above, below))
            self.padding.append(padding)

    def forward(self, hidden: Tensor) -> Tensor:
        """Take (batch, in_channels, bins, frames), return (batch, out_channels, bins * stride, frames * stride)."""
        weights = iter(self.weights)
        rows = []
        for row in self.padding:
            phases = [self._phase(hidden, next(weights), padding) for padding in row]
            rows.append(torch.stack(phases, dim=-1).flatten(-2))
        return torch.stack(rows, dim=-2).flatten(-3, -2)

    def _phase(self, hidden: Tensor, weight: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
        left, right, above, below = padding
        if (left, above) == (right, below):
            return F.conv2d(hidden, weight, self.bias, padding=(above, left))
        return F.conv2d(F.pad(hidden, padding), weight, self.bias)


def divides(layer: nn.ConvTranspose2d) -> bool:
    """Return whether each phase of a layer's output is as large as its input."""
    if layer.groups != 1 or layer.dilation != (1, 1):
        return False
    return all(
        extra == stride - kernel + 2 * padding and kernel >= stride and kernel > padding
        for kernel, stride, padding, extra in _sides(layer)
    )


def _sides(layer: Any) -> list[tuple[int, int, int, int]]:
    """Return kernel, stride, padding and output padding of each dimension."""
    return list(zip(layer.kernel_size, layer.stride, layer.padding, layer.output_padding, strict=True))


def _phases(kernel: int, stride: int, padding: int) -> list[tuple[int, int, list[int]]]:
    """Return for each phase the padding before and after, and its taps in the order of the input."""
    phases = []
    for phase in range(stride):
        # Output sample stride * t + phase is the sum over taps k of input sample t + (phase + padding - k) / stride.
        taps = list(range((phase + padding) % stride, kernel, stride))[::-1]
        offsets = [(phase + padding - tap) // stride for tap in taps]
        phases.append((-offsets[0], offsets[-1], taps))
    return phases
