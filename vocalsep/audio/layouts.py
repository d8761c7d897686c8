"""Channel layouts by FFmpeg's names: their speakers, and the order in which WAVE files and FFmpeg have the channels."""

from __future__ import annotations

import ctypes
from typing import Any

# In the order of the bits of a WAVE file's channel mask.
SPEAKERS = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC"),
    *("SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR"),
)
LAYOUTS = {
    "mono": ("FC",),
    "stereo": ("FL", "FR"),
    "2.1": ("FL", "FR", "LFE"),
    "3.0": ("FL", "FR", "FC"),
    "3.0(back)": ("FL", "FR", "BC"),
    "4.0": ("FL", "FR", "FC", "BC"),
    "quad": ("FL", "FR", "BL", "BR"),
    "quad(side)": ("FL", "FR", "SL", "SR"),
    "3.1": ("FL", "FR", "FC", "LFE"),
    "5.0": ("FL", "FR", "FC", "BL", "BR"),
    "5.0(side)": ("FL", "FR", "FC", "SL", "SR"),
    "4.1": ("FL", "FR", "FC", "LFE", "BC"),
    "5.1": ("FL", "FR", "FC", "LFE", "BL", "BR"),
    "5.1(side)": ("FL", "FR", "FC", "LFE", "SL", "SR"),
    "6.0": ("FL", "FR", "FC", "BC", "SL", "SR"),
    "6.0(front)": ("FL", "FR", "FLC", "FRC", "SL", "SR"),
    "hexagonal": ("FL", "FR", "FC", "BL", "BR", "BC"),
    "6.1": ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    "6.1(back)": ("FL", "FR", "FC", "LFE", "BL", "BR", "BC"),
    "6.1(front)": ("FL", "FR", "LFE", "FLC", "FRC", "SL", "SR"),
    "7.0": ("FL", "FR", "FC", "BL", "BR", "SL", "SR"),
    "7.0(front)": ("FL", "FR", "FC", "FLC", "FRC", "SL", "SR"),
    "7.1": ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
    "7.1(wide)": ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC"),
    "7.1(wide-side)": ("FL", "FR", "FC", "LFE", "FLC", "FRC", "SL", "SR"),
    "octagonal": ("FL", "FR", "FC", "BL", "BR", "BC", "SL", "SR"),
}
# What channels are taken for where a file does not say.
DEFAULT_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
# What FFmpeg takes the channels of a FLAC for that does not say more.
FLAC_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0(side)", "5.1(side)", "6.1", "7.1")
# Ogg's codecs have one layout for each number of channels, and their own order: which of WAVE's comes first, second ...
VORBIS_ORDER = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 4, 5, 3),
    7: (0, 2, 1, 5, 6, 4, 3),
    8: (0, 2, 1, 6, 7, 4, 5, 3),
}
# The comment of a FLAC of another layout.
MASK_COMMENT = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
# The first speakers of the pairs, whose second follows them in the order above.
_PAIRS = {"FL": "FR", "BL": "BR", "FLC": "FRC", "SL": "SR", "TFL": "TFR", "TBL": "TBR", "DL": "DR", "WL": "WR"}


def speakers_of(layout: str, channels: int) -> tuple[str, ...]:
    """Return the speakers of a layout, a name or such as ``FL+FR+LFE``; of an unknown one those that are assumed."""
    speakers = LAYOUTS.get(layout) or tuple(layout.split("+"))
    return speakers if len(speakers) == channels and all(speakers) else LAYOUTS[DEFAULT_LAYOUTS[channels - 1]]


def name_and_order(name: str, speakers: tuple[str, ...]) -> tuple[str, list[int] | None]:
    """Return how a layout is called here that FFmpeg calls `name`, and its order in a WAVE file where it has another.

    The name is empty where the speakers have none either. Of one or two channels the speakers do not matter.
    """
    if len(speakers) <= 2:
        return DEFAULT_LAYOUTS[len(speakers) - 1], None
    if name in LAYOUTS:
        return name, None
    if not set(speakers) <= set(SPEAKERS) or len(set(speakers)) < len(speakers):
        return "", None
    order = sorted(range(len(speakers)), key=lambda place: SPEAKERS.index(speakers[place]))
    mask = sum(1 << SPEAKERS.index(speaker) for speaker in speakers)
    return layout_of_mask(mask, len(speakers)), order


def layout_of_mask(mask: int, channels: int) -> str:
    """Return the layout of a WAVE file's channel mask; empty where it fits no such number of channels."""
    if channels <= 2:
        return DEFAULT_LAYOUTS[channels - 1]
    speakers = tuple(name for bit, name in enumerate(SPEAKERS) if mask >> bit & 1)
    if mask >> len(SPEAKERS) or len(speakers) != channels:
        return ""
    return next((name for name, found in LAYOUTS.items() if found == speakers), "+".join(speakers))


def channel_mask(layout: str, channels: int) -> int:
    """Return the channel mask of a layout; 0 where it has speakers that masks do not know."""
    speakers = speakers_of(layout, channels)
    return sum(1 << SPEAKERS.index(name) for name in speakers) if set(speakers) <= set(SPEAKERS) else 0


def channel_groups(layout: str, channels: int) -> tuple[tuple[int, ...], ...]:
    """Return which channels belong together: stereo pairs, which are neighbours, and single ones."""
    speakers = speakers_of(layout, channels)
    groups: list[tuple[int, ...]] = []
    at = 0
    while at < channels:
        paired = at + 1 < channels and _PAIRS.get(speakers[at]) == speakers[at + 1]
        groups.append((at, at + 1) if paired else (at,))
        at += len(groups[-1])
    return tuple(groups)


def channel_order(layout: str, channels: int, target: str) -> tuple[int, ...] | None:
    """Return which channel of a layout comes first, second ... in another; None where that has other speakers.

    Surround speakers count as the same at the sides and behind, where a layout has those of one kind only.
    """
    speakers, wanted = speakers_of(layout, channels), LAYOUTS[target]
    if len(wanted) != channels:
        return None
    if set(speakers) != set(wanted):
        speakers, wanted = _surround(speakers), _surround(wanted)
    return tuple(speakers.index(name) for name in wanted) if set(speakers) == set(wanted) else None


def _surround(speakers: tuple[str, ...]) -> tuple[str, ...]:
    if {"BL", "SL"} <= set(speakers):
        return speakers
    return tuple({"BL": "SL", "BR": "SR"}.get(name, name) for name in speakers)


def pinned_layout(owner: Any) -> Any:
    """Return the channel layout of a codec or a frame, once for each.

    PyAV has the layout of FFmpeg's own, and frees what belongs to it a second time where its channels are in an order
    of their own, as those of a QuickTime file can be. So it must never be freed.
    """
    layout = owner.layout
    if layout.name not in LAYOUTS:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return layout
