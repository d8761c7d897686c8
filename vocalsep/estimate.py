"""What splitting would take: counted for a network, and tried for a song on this machine."""

from __future__ import annotations

import dataclasses
import pathlib
import time

import numpy as np

from .audio.formats import FORMATS, SAMPLE_BYTES
from .audio.source import SourceInfo
from .checkpoint import read_info
from .engine import PAIRS
from .separator import Separator

TRIAL_S = 12.0
COUNTED_STRIDES = 8


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of work and bytes of two WAV stems; None where the song's length is unknown."""

    seconds: float | None
    size: int | None


def split_cost(song: SourceInfo, model: str) -> Cost:
    """Time the model on a few seconds of noise and scale that to the song; raises ModelError."""
    if song.samples is None:
        return Cost(None, None)
    separator = Separator(model)
    rate = separator.sample_rate
    noise = np.random.default_rng(0).standard_normal((2, int(TRIAL_S * rate))).astype(np.float32)
    # The first run pays for memory and thread start-up, not for music.
    separator.separate(noise[:, :rate], rate)
    started = time.perf_counter()
    separator.separate(noise, rate)
    factor = (time.perf_counter() - started) / TRIAL_S
    seconds = factor * len(PAIRS[song.channels]) * song.samples / song.sample_rate
    subtype = FORMATS["wav"].subtype_for(song.subtype, None) or "FLOAT"
    return Cost(seconds, 2 * song.samples * song.channels * SAMPLE_BYTES[subtype])


def network_flops(path: pathlib.Path) -> float:
    """Count a model's multiplications and additions per second of audio, its network's alone; raises ModelError.

    They are those of a song in one piece. Nothing is computed.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from .networks.build import build

    config = read_info(path).config
    front_end, frames = config.front_end, COUNTED_STRIDES * config.network.stride
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = build(config.architecture, config.network).eval()
        network(torch.empty(1, config.network.channels, front_end.bins, frames))
    return counter.get_total_flops() / frames * front_end.sample_rate / front_end.hop
