"""Words of songs: lines with times, and LRC files."""

from .files import decode_lyrics, read_lyrics
from .lrc import format_lrc, parse_lrc
from .words import Line, Lyrics, Word

__all__ = ["Line", "Lyrics", "Word", "decode_lyrics", "format_lrc", "parse_lrc", "read_lyrics"]
