"""Settings of the U-Net of TFC-TDF blocks over bands, see `networks.band_tfc_tdf`."""

from __future__ import annotations

import dataclasses

from ...checks import whole_number
from ...errors import ModelError
from ..receptive_field import Down, Same, Step, Up, context
from . import MaskConfig

MOST_BINS = 1 << 15


@dataclasses.dataclass(frozen=True)
class BandTfcTdfConfig(MaskConfig):
    """A U-Net of residual TFC-TDF blocks over stacked frequency bands.

    Parameters
    ----------
    channels, compression, level_frames, head
        See `MaskConfig`; `head` must be ``mask``.
    filters : tuple of int
        Filters of each scale. From one scale to the next, bins and frames are halved.
    bins : int
        Bins of the input, a multiple of ``bands * 2 ** (len(filters) - 1)``.
    bands : int
        Number of frequency bands of equal width that are stacked as channels.
    layers : int
        Convolutions in each half of a block.
    bottleneck : int
        Factor by which the fully connected layers reduce the bins of a band before expanding them again.
    mid_side : bool
        The network also takes the magnitudes of mid and side, ``(left +- right) / 2``, of a stereo mixture: they show
        what is panned to the middle, where most vocals are.
    dilations : tuple of int
        One residual convolution over time for each, with that dilation, at the coarsest scale: long context at little
        cost.
    """

    filters: tuple[int, ...] = (48, 80, 112, 144)
    bins: int = 1024
    bands: int = 8
    layers: int = 1
    bottleneck: int = 4
    mid_side: bool = False
    dilations: tuple[int, ...] = (1, 2, 4)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "dilations", tuple(self.dilations))
        whole_number("bins", self.bins, 1, MOST_BINS)
        whole_number("bands", self.bands, 1, 64)
        whole_number("layers", self.layers, 1, 16)
        whole_number("bottleneck", self.bottleneck, 1, 256)
        whole_number("number of dilations", len(self.dilations), 0, 16)
        for dilation in self.dilations:
            whole_number("dilation", dilation, 1, 64)
        if type(self.mid_side) is not bool or (self.mid_side and self.channels != 2):
            raise ModelError(f"mid_side must be true or false, and true only for 2 channels, not {self.mid_side!r}")
        if self.head != "mask":
            raise ModelError("the network estimates masks: head must be mask")
        if self.bins % (self.bands * self.stride):
            raise ModelError(
                f"bins must be a multiple of {self.bands * self.stride} for {self.bands} bands and "
                f"{len(self.filters)} scales"
            )

    @property
    def stride(self) -> int:
        """Frames per step of the coarsest scale; inputs are multiples of it."""
        return int(2 ** (len(self.filters) - 1))

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return self.layer_context + self.level_frames

    @property
    def layer_context(self) -> int:
        """Frames to either side in the receptive field of the layers; beyond them only the level is measured."""
        depth = len(self.filters) - 1
        block = Same(2 * self.layers)
        steps: list[Step] = [block, Up(2, 0)] * depth
        steps += [block, Same(sum(self.dilations))]
        steps += [Down(2, 0), block] * depth
        return context(steps, self.stride)
