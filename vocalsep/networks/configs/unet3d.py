"""Settings of the U-Net over several resolutions, see `networks.unet3d`."""

from __future__ import annotations

import dataclasses

from ...checks import whole_number
from ...errors import ModelError
from . import MaskConfig
from .block_unet import block_context

LARGEST_POWER = 64


@dataclasses.dataclass(frozen=True)
class UNet3DConfig(MaskConfig):
    """A U-Net over (resolution, bins, frames).

    Parameters
    ----------
    channels, filters, compression, level_frames, head
        See `MaskConfig`.
    powers : tuple of int
        Powers of the front end's Hann window, one for each resolution: (1, 4, 16) are about the window itself, half
        and a quarter of it.
    """

    filters: tuple[int, ...] = (8, 16, 32, 64)
    powers: tuple[int, ...] = (1, 4, 16)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "powers", tuple(self.powers))
        whole_number("resolutions", len(self.powers), 1, 8)
        for power in self.powers:
            whole_number("powers", power, 1, LARGEST_POWER)
        if self.powers[0] != 1:
            raise ModelError(f"the first of powers is the window itself, 1, not {self.powers[0]}")

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return block_context(self, 2)
