"""What a karaoke video shows, and how."""

from __future__ import annotations

import dataclasses
import pathlib

from ..errors import UsageError
from ..lyrics import Lyrics

BURNT, SUBTITLES = "burnt", "subtitles"
WORDS = (BURNT, SUBTITLES)
SMALLEST, LARGEST = 128, 4096


@dataclasses.dataclass(frozen=True)
class VideoSettings:
    """How karaoke videos are made.

    Parameters
    ----------
    words : str
        ``burnt``: drawn into the picture; ``subtitles``: a track of the file, which players show or hide.
    width, height : int
        Pixels, even numbers. A song that has a moving picture keeps the size of that.
    font : pathlib.Path, optional
        TrueType or OpenType file; without it, a font of the system that has the characters of the words.
    lyrics : Lyrics, optional
        Words for the song, with times; without them, those beside the song or in its tags.

    Raises
    ------
    UsageError
        The size is impossible, or `words` is none of `WORDS`.
    """

    words: str = BURNT
    width: int = 1280
    height: int = 720
    font: pathlib.Path | None = None
    lyrics: Lyrics | None = None

    def __post_init__(self) -> None:
        if self.words not in WORDS:
            raise UsageError(f"words cannot be {self.words!r}", hint=f"choose {' or '.join(WORDS)}")
        for pixels in (self.width, self.height):
            if not SMALLEST <= pixels <= LARGEST or pixels % 2:
                raise UsageError(
                    f"a picture of {self.width}x{self.height} is not possible",
                    hint=f"use even numbers from {SMALLEST} to {LARGEST}, such as 1280x720",
                )


@dataclasses.dataclass(frozen=True)
class MovingPicture:
    """The picture of a video file.

    Parameters
    ----------
    path : pathlib.Path
    sound_start_s : float
        Time of the first sample of the song in the file.
    start_s : float
        Where in the song the karaoke video begins.
    tempo : float
        Percent of the song's tempo.
    """

    path: pathlib.Path
    sound_start_s: float = 0.0
    start_s: float = 0.0
    tempo: float = 100.0

    @property
    def unchanged(self) -> bool:
        """Whether all pictures are shown at their own times."""
        return self.start_s == 0 and self.tempo == 100


@dataclasses.dataclass(frozen=True)
class VideoContent:
    """What a karaoke video shows.

    Parameters
    ----------
    title, artist : str
        Shown at the start; may be empty.
    lyrics : Lyrics, optional
        With times on the clock of the sound.
    cover : bytes, optional
        Picture file, for the background.
    picture : MovingPicture, optional
        Background that takes the place of the cover.
    """

    title: str = ""
    artist: str = ""
    lyrics: Lyrics | None = None
    cover: bytes | None = None
    picture: MovingPicture | None = None
