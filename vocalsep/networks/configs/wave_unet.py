"""Settings of the Wave-U-Net, see `networks.wave_unet`."""

from __future__ import annotations

import dataclasses

from ...checks import LONGEST_TILE, whole_number
from ...errors import ModelError
from . import LARGEST_FILTERS, NetworkConfig, one_of

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
