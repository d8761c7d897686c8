"""Key and tempo of songs."""

from .key import Key
from .song import KeyAndTempo, SongAnalyzer, analyze_song

__all__ = ["Key", "KeyAndTempo", "SongAnalyzer", "analyze_song"]
