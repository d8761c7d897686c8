"""Settings of Spleeter's U-Net, see `networks.spleeter`."""

from __future__ import annotations

import dataclasses

from ...checks import number, whole_number
from ..receptive_field import Down, Same, Step, Up, context
from . import LONGEST_LEVEL, NetworkConfig, check_filters

KERNEL = 5
# Frames to either side in the receptive field of the dilated last layer.
HEAD_CONTEXT = 3


@dataclasses.dataclass(frozen=True)
class SpleeterConfig(NetworkConfig):
    """Spleeter's variant of the Deep U-Net (Hennequin et al., "Spleeter", JOSS 2020): it can hold Spleeter's weights.

    Parameters
    ----------
    channels : int
        Audio channels of the input and of the masks.
    filters : tuple of int
        Filters of each encoder layer; every layer halves bins and frames.
    dropout : float
        Share of values dropped after the first three decoder layers while training.
    level_frames : int
        The magnitudes are divided by their root mean square over this many frames to either side, so that the level of
        a song does not matter; 0 leaves them unchanged.
    level : float
        Factor after that division: the level of the magnitudes that the weights were trained on.
    """

    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    dropout: float = 0.5
    level_frames: int = 0
    level: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "filters", tuple(self.filters))
        check_filters(self.filters, 2)
        whole_number("level_frames", self.level_frames, 0, LONGEST_LEVEL)
        number("dropout", self.dropout, 0, 0.99)
        number("level", self.level, 1e-6, 1e6)

    @property
    def stride(self) -> int:
        """Bins and frames per step of the deepest layer; inputs are multiples of it."""
        return int(2 ** len(self.filters))

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return self.layer_context + self.level_frames

    @property
    def layer_context(self) -> int:
        """Frames to either side in the receptive field of the layers; beyond them only the level is measured."""
        depth = len(self.filters)
        steps: list[Step] = [Same(HEAD_CONTEXT), *[Up(KERNEL, 1)] * depth, *[Down(KERNEL, 1)] * depth]
        return context(steps, self.stride)
