"""Reasons why a file cannot be decoded: encrypted, or not audio at all."""

from __future__ import annotations

import pathlib
import re
from typing import BinaryIO

from .mp4_boxes import FILE_TYPE, mp4_index

HEAD_BYTES = 1 << 16
EMPTY_FILE = "is empty (0 bytes)"
NO_AUDIO = "holds no audio"
NO_AUDIO_FILE = "is no audio file, or one too damaged to open"
DRM = "is protected by DRM: only the shop's own program can play it; take a copy that is not protected"
# Sample descriptions of encrypted sound in MP4: of iTunes, of Audible, and of Common Encryption.
ENCRYPTED_AUDIO = re.compile(rb"stsd.{12}(drms|aavd|enca)", re.DOTALL)
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
# Content Encryption Object, its extended and its advanced form.
ASF_PROTECTED = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
    bytes.fromhex("338505438169e6499b74ad12cb86d58c"),
)
AUDIBLE = b"\x57\x90\x75\x36"
TS_PACKET, TS_SYNC, TS_SCRAMBLED = 188, 0x47, 0xC0
# First bytes of other kinds of files, and the reason to report.
NON_AUDIO = (
    (rb"MThd", "is MIDI, which holds notes and no sound; play it with a synthesizer and record that"),
    (
        rb"(#EXTM3U|\[playlist\]|ffconcat|<\?xml.{0,200}<(playlist|smil)|<asx)",
        "is a playlist, no audio; name its files",
    ),
    (rb"(<!doctype html|<html)", "is a web page, no audio; the download went wrong"),
    (rb"(PK\x03\x04|Rar!|7z\xbc\xaf|\x1f\x8b\x08|\xfd7zXZ|BZh)", "is an archive, no audio; unpack it first"),
    (rb"(\xff\xd8\xff|\x89PNG|GIF8|BM....\0\0\0\0)", "is a picture, no audio"),
    (rb"%PDF", "is a PDF, no audio"),
)


def drm_reason(file: BinaryIO) -> str:
    """Return the reason to report where the sound of an open file is encrypted; else an empty text."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    protected = head[4:8] == AUDIBLE
    protected |= head[4:8] == FILE_TYPE and ENCRYPTED_AUDIO.search(mp4_index(file)) is not None
    protected |= head.startswith(ASF) and any(guid in head for guid in ASF_PROTECTED)
    packets = [head[at : at + 4] for at in range(0, len(head) - 3, TS_PACKET)]
    if len(packets) > 1 and all(packet[0] == TS_SYNC for packet in packets):
        protected |= sum(bool(packet[3] & TS_SCRAMBLED) for packet in packets) > len(packets) / 2
    return DRM if protected else ""


def unsupported_reason(path: pathlib.Path) -> str:
    """Return the reason to report for a file that neither library can open."""
    with path.open("rb") as file:
        reason = drm_reason(file)
        file.seek(0)
        head = file.read(HEAD_BYTES)
        if head[4:8] == FILE_TYPE and not mp4_index(file):
            return "damaged file, it broke off before its index was written: nothing can be decoded without that"
    for pattern, other in NON_AUDIO:
        if not reason and re.match(pattern, head.lstrip(b"\xef\xbb\xbf \r\n\t"), re.IGNORECASE | re.DOTALL):
            reason = other
    return reason or NO_AUDIO_FILE
