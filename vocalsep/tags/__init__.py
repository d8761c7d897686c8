"""Tags and cover art of songs, from any format to any other."""

from .fields import Chapter, Picture, Tags
from .reading import read_tags
from .writing import write_tags

__all__ = ["Chapter", "Picture", "Tags", "read_tags", "write_tags"]
