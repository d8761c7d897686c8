"""Tags and cover art of songs, from any format to any other."""

from .fields import Picture, Tags
from .reading import read_tags
from .writing import write_tags

__all__ = ["Picture", "Tags", "read_tags", "write_tags"]
