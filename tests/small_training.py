"""The configuration of trainings that take a second or two: a network of a few thousand weights at 8 kHz."""

from __future__ import annotations

import json

SMALL_RATE = 8000
FRONT_END = f"""
[model.front_end]
sample_rate = {SMALL_RATE}
n_fft = 256
hop = 64
bins = 64
"""
NETWORK = """
[model.network]
filters = [4, 8]
level_frames = 8
"""


def small_config(network: str = NETWORK, valid_seconds: float = 3.0, **training: float | str) -> str:
    """Return a configuration as TOML, whose last table is ``[training]`` with the given settings."""
    settings = {"batch_size": 4, "precision": "float32", **training}
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    data = f"\n[data]\nframes = 32\nvalid_seconds = {valid_seconds}\n"
    return FRONT_END + network + data + "\n".join(["\n[training]", *lines, ""])
