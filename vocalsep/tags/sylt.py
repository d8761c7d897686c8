"""ID3's frame for lyrics with times, SYLT."""

from __future__ import annotations

from typing import Any

from ..lyrics import Line, Lyrics, Word

# In a frame: times are milliseconds, and the text is lyrics or another transcription of what is sung.
MILLISECONDS = 2
LYRICS_TYPES = (0, 1, 2)


def from_sylt(frame: Any) -> Lyrics | None:
    """Return the lyrics of a SYLT frame of mutagen; None for chords, or for times that are not milliseconds.

    A line break before an entry begins a line; without any, each entry is a line.
    """
    if frame.format != MILLISECONDS or frame.type not in LYRICS_TYPES:
        return None
    entries = sorted(((text, time / 1000) for text, time in frame.text), key=lambda entry: entry[1])
    by_words = any("\n" in text.strip(" \r\n") or text.startswith(("\n", "\r")) for text, _ in entries[1:])
    groups: list[list[Word]] = []
    for text, time in entries:
        if not by_words or not groups or text.startswith(("\n", "\r")):
            groups.append([])
        groups[-1].append(Word(time, text.strip("\r\n")))
    lines = []
    for words in groups:
        text = "".join(word.text for word in words)
        lines.append(Line(words[0].start_s, text.strip(), tuple(words) if len(words) > 1 else ()))
    return Lyrics(tuple(lines)) if any(line.text for line in lines) else None


def sylt_entries(lyrics: Lyrics) -> list[tuple[str, int]]:
    """Return lyrics with times as the entries of a SYLT frame: text, and time in milliseconds."""
    by_words = any(line.words for line in lyrics.lines)
    entries = []
    for line in lyrics.lines:
        if line.start_s is not None:
            for number, word in enumerate(line.words or (Word(line.start_s, line.text),)):
                text = "\n" + word.text if by_words and number == 0 else word.text
                entries.append((text, round(word.start_s * 1000)))
    return entries
