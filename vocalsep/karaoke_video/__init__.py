"""Karaoke videos: words over a picture, in time with a finished sound."""

from .content import BURNT, SUBTITLES, WORDS, MovingPicture, VideoContent, VideoSettings
from .fonts import check_drawing
from .writing import write_karaoke_video

__all__ = [
    "BURNT",
    "SUBTITLES",
    "WORDS",
    "MovingPicture",
    "VideoContent",
    "VideoSettings",
    "check_drawing",
    "write_karaoke_video",
]
