"""Transposed convolutions, phase by phase."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vocalsep.networks.phases import PhasedConvTranspose2d, divides

# Kernel, stride, padding and output padding of one dimension, with which the output is `stride` times the input.
SIDES = [
    (kernel, stride, padding, stride - kernel + 2 * padding)
    for kernel in range(1, 7)
    for stride in range(1, min(kernel, 3) + 1)
    for padding in range(kernel)
    if 0 <= stride - kernel + 2 * padding < stride
]
sides = st.sampled_from(SIDES)


@settings(deadline=None)
@given(sides, sides, st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_phases_make_what_the_layer_makes(rows, columns, bins, frames, bias):
    kernel, stride, padding, extra = zip(rows, columns, strict=True)
    layer = nn.ConvTranspose2d(3, 2, kernel, stride, padding, extra, bias=bias).double()
    assert divides(layer)
    hidden = torch.randn(2, 3, bins, frames, dtype=torch.float64)
    result = PhasedConvTranspose2d(layer)(hidden)
    assert result.shape == (2, 2, bins * stride[0], frames * stride[1])
    torch.testing.assert_close(result, layer(hidden))


def test_other_layers_are_told_apart():
    assert not divides(nn.ConvTranspose2d(2, 2, 5, 2, 2))
    assert not divides(nn.ConvTranspose2d(2, 2, 1, 2, output_padding=1))
    assert not divides(nn.ConvTranspose2d(2, 2, 4, 2, 1, groups=2))
    assert not divides(nn.ConvTranspose2d(2, 2, 3, 2, 2, output_padding=1, dilation=2))
