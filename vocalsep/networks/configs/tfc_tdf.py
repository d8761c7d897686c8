"""Settings of the U-Net of TFC-TDF blocks, see `networks.tfc_tdf`."""

from __future__ import annotations

import dataclasses

from ...checks import whole_number
from ...errors import ModelError
from . import MaskConfig, one_of
from .block_unet import block_context

SKIPS = ("multiply", "concatenate")
MOST_BINS = 1 << 15


@dataclasses.dataclass(frozen=True)
class TfcTdfConfig(MaskConfig):
    """A U-Net of TFC-TDF blocks.

    Parameters
    ----------
    channels, filters, compression, level_frames, head
        See `MaskConfig`.
    bins : int
        Bins of the input, which fix the size of the fully connected layers.
    layers : int
        Convolutions in a block.
    bottleneck : int
        Factor by which the fully connected layers reduce the bins before expanding them again.
    skips : str
        ``multiply`` or ``concatenate``.
    """

    filters: tuple[int, ...] = (24, 48, 72, 96, 120)
    bins: int = 1024
    layers: int = 3
    bottleneck: int = 8
    skips: str = "multiply"

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("bins", self.bins, 1, MOST_BINS)
        whole_number("layers", self.layers, 1, 16)
        whole_number("bottleneck", self.bottleneck, 1, 256)
        one_of("skips", self.skips, SKIPS)
        if self.bins % self.stride:
            raise ModelError(f"bins must be a multiple of {self.stride} for {len(self.filters)} layers")

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return block_context(self, self.layers)
