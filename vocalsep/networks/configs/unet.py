"""Settings of the Deep U-Net, see `networks.unet`."""

from __future__ import annotations

import dataclasses

from ...checks import number, whole_number
from ...errors import ModelError
from ..receptive_field import Down, Same, Step, Up, context
from . import MaskConfig, one_of

NORMS = ("before", "after", "none")
DOWNSAMPLINGS = ("stride", "max-pool")
ACTIVATIONS = ("leaky-relu", "relu", "elu", "silu")


@dataclasses.dataclass(frozen=True)
class UNetConfig(MaskConfig):
    """A Deep U-Net, and its variants for other hardware.

    Parameters
    ----------
    channels, filters, compression, level_frames, head
        See `MaskConfig`.
    kernel : int
        Side length of every kernel, in bins and frames: 3 to 9, even ones for ``downsampling = "stride"`` only.
    dropout : float
        Share of feature maps dropped after the first three decoder layers while training.
    norm : str
        Batch norm ``before`` each activation, ``after`` it, or ``none``.
    downsampling : str
        Convolutions with ``stride`` 2, or with stride 1 and ``max-pool``.
    activation : str
        Of the encoder: ``leaky-relu`` (slope 0.2), ``relu``, ``elu`` or ``silu``. The decoder's is ReLU.
    """

    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    kernel: int = 5
    dropout: float = 0.5
    norm: str = "before"
    downsampling: str = "stride"
    activation: str = "leaky-relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("kernel", self.kernel, 3, 9)
        number("dropout", self.dropout, 0, 0.99)
        one_of("norm", self.norm, NORMS)
        one_of("downsampling", self.downsampling, DOWNSAMPLINGS)
        one_of("activation", self.activation, ACTIVATIONS)
        if self.kernel % 2 == 0 and self.downsampling == "max-pool":
            raise ModelError(f"kernel must be odd with max-pool, not {self.kernel}")

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask, through the layers or through the level."""
        depth, padding = len(self.filters), (self.kernel - 1) // 2
        down: list[Step] = [Down(self.kernel, padding)]
        if self.downsampling == "max-pool":
            down = [Down(2, 0), Same(padding)]
        return context([*[Up(self.kernel, padding)] * depth, *down * depth], self.stride) + self.level_frames
