"""Channel layouts by FFmpeg's names, with their speakers in the channel order of WAVE files and FFmpeg."""

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
# Layout by number of channels where a file does not name one.
DEFAULT_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
# FFmpeg's layout by number of channels of a FLAC without a channel mask.
FLAC_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0(side)", "5.1(side)", "6.1", "7.1")
# Ogg's codecs have their own channel order: the index in WAVE order of each of their channels, by number of channels.
VORBIS_ORDER = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 4, 5, 3),
    7: (0, 2, 1, 5, 6, 4, 3),
    8: (0, 2, 1, 6, 7, 4, 5, 3),
}
# Vorbis comment with the channel mask of a FLAC.
MASK_COMMENT = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
# Left and right speakers of stereo pairs.
_PAIRS = {"FL": "FR", "BL": "BR", "FLC": "FRC", "SL": "SR", "TFL": "TFR", "TBL": "TBR", "DL": "DR", "WL": "WR"}


def speakers_of(layout: str, channels: int) -> tuple[str, ...]:
    """Return the speakers of a layout, given by name or as ``FL+FR+LFE``; of an unknown one those of the default."""
    speakers = LAYOUTS.get(layout) or tuple(layout.split("+"))
    return speakers if len(speakers) == channels and all(speakers) else LAYOUTS[DEFAULT_LAYOUTS[channels - 1]]


def name_and_order(name: str, speakers: tuple[str, ...]) -> tuple[str, list[int] | None]:
    """Return the name of a layout from FFmpeg, and its channel order in a WAVE file where that differs.

    Parameters
    ----------
    name : str
        FFmpeg's name or description of the layout.
    speakers : tuple of str
        Names of its channels; those of mono and stereo are ignored.

    Returns
    -------
    str, list of int or None
        The name is empty where WAVE has no such speakers.
    """
    if len(speakers) <= 2:
        return DEFAULT_LAYOUTS[len(speakers) - 1], None
    if name in LAYOUTS:
        return name, None
    if not set(speakers) <= set(SPEAKERS) or len(set(speakers)) < len(speakers):
        return "", None
    order = sorted(range(len(speakers)), key=lambda channel: SPEAKERS.index(speakers[channel]))
    mask = sum(1 << SPEAKERS.index(speaker) for speaker in speakers)
    return layout_of_mask(mask, len(speakers)), order


def layout_of_mask(mask: int, channels: int) -> str:
    """Return the layout of a WAVE file's channel mask; empty where mask and number of channels disagree."""
    if channels <= 2:
        return DEFAULT_LAYOUTS[channels - 1]
    speakers = tuple(name for bit, name in enumerate(SPEAKERS) if mask >> bit & 1)
    if mask >> len(SPEAKERS) or len(speakers) != channels:
        return ""
    return next((name for name, members in LAYOUTS.items() if members == speakers), "+".join(speakers))


def channel_mask(layout: str, channels: int) -> int:
    """Return the WAVE channel mask of a layout; 0 where masks have no such speakers."""
    speakers = speakers_of(layout, channels)
    return sum(1 << SPEAKERS.index(name) for name in speakers) if set(speakers) <= set(SPEAKERS) else 0


def channel_groups(layout: str, channels: int) -> tuple[tuple[int, ...], ...]:
    """Group the channels of a layout into stereo pairs and single channels; return their indices."""
    speakers = speakers_of(layout, channels)
    groups: list[tuple[int, ...]] = []
    channel = 0
    while channel < channels:
        paired = channel + 1 < channels and _PAIRS.get(speakers[channel]) == speakers[channel + 1]
        groups.append((channel, channel + 1) if paired else (channel,))
        channel += len(groups[-1])
    return tuple(groups)


def channel_order(layout: str, channels: int, target: str) -> tuple[int, ...] | None:
    """Return the indices of a layout's channels in the order of another layout; None where that has other speakers.

    Side and back speakers count as the same in layouts that have only one of the two.
    """
    speakers, target_speakers = speakers_of(layout, channels), LAYOUTS[target]
    if len(target_speakers) != channels:
        return None
    if set(speakers) != set(target_speakers):
        speakers, target_speakers = _surround(speakers), _surround(target_speakers)
    return tuple(speakers.index(name) for name in target_speakers) if set(speakers) == set(target_speakers) else None


def _surround(speakers: tuple[str, ...]) -> tuple[str, ...]:
    if {"BL", "SL"} <= set(speakers):
        return speakers
    return tuple({"BL": "SL", "BR": "SR"}.get(name, name) for name in speakers)


def pinned_layout(owner: Any) -> Any:
    """Return the channel layout of a codec context or frame, and never let Python free it where that is unsafe.

    PyAV's layout object shares memory with FFmpeg's. Where the channels have a custom order, as in some QuickTime
    files, PyAV frees that memory a second time: such an object is leaked on purpose.
    """
    layout = owner.layout
    if layout.name not in LAYOUTS:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return layout
