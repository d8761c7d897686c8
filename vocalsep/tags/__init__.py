"""Tags and cover art of songs, from any format to any other."""

from .fields import Chapter, Picture, Tags
from .reading import read_tags
from .song_lyrics import FoundLyrics, find_lyrics, lyrics_of_tags
from .writing import write_tags

__all__ = ["Chapter", "FoundLyrics", "Picture", "Tags", "find_lyrics", "lyrics_of_tags", "read_tags", "write_tags"]
