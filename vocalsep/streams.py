"""From a model to streams that it works on, whatever goes in and out of it."""

from __future__ import annotations

from .backends.backend import Backend, MaskBackend, WaveBackend
from .config import FrontEndConfig
from .errors import UsageError
from .masking import MaskStream
from .waves import WaveStream

# Half a minute at the default rate: more would need more memory, less would hear more context twice.
CORE_FRAMES = 1280


class Streams:
    """How one network separates streams.

    Parameters
    ----------
    backend : Backend
    front_end : FrontEndConfig
    core_frames : int, optional
        Frames of a spectrogram network's chunks without their context; by default about half a minute.
    overlap : float, optional
        Seconds that each chunk hears beyond either end; by default all that the network can hear.
    hard : bool
        Hard masks, see `MaskStream`.

    Raises
    ------
    UsageError
        An option makes no sense for this network.
    """

    def __init__(
        self,
        backend: Backend,
        front_end: FrontEndConfig,
        *,
        core_frames: int | None = None,
        overlap: float | None = None,
        hard: bool = False,
    ):
        self.backend = backend
        self.front_end = front_end
        self.hard = hard
        if isinstance(backend, WaveBackend):
            for option, given in (("core_frames", core_frames), ("overlap", overlap), ("hard masks", hard or None)):
                if given is not None:
                    raise UsageError(f"{option}: this model works on waveforms and has no such thing")
            self.core = self.context = 0
            return
        stride = backend.shape.stride
        self.core = -(-CORE_FRAMES // stride) * stride if core_frames is None else core_frames
        if self.core < stride or self.core % stride:
            raise UsageError(f"core_frames must be a multiple of {stride}, not {core_frames}")
        self.context = self._context(backend, overlap)

    def open(self, channels: int) -> MaskStream | WaveStream:
        """Return a stream of 1 or 2 channels at the model's rate, that takes and gives samples block by block."""
        if isinstance(self.backend, WaveBackend):
            return WaveStream(self.backend, channels)
        return MaskStream(self.backend, self.front_end, channels, self.core, self.context, hard=self.hard)

    def _context(self, backend: MaskBackend, overlap: float | None) -> int:
        frames: float = backend.shape.context
        if overlap is not None:
            if not overlap >= 0:
                raise UsageError(f"overlap must be 0 or more seconds, not {overlap}")
            frames = min(frames, overlap * self.front_end.sample_rate / self.front_end.hop)
        return int(-(-frames // backend.shape.stride) * backend.shape.stride)
