"""What a song's karaoke video is made of: its words, its names, and its picture or cover."""

from __future__ import annotations

import pathlib

from ..audio.container import AvioFile, open_container
from ..audio.source import SourceInfo
from ..audio.video import first_sample_time
from ..errors import LyricsError
from ..karaoke_video import MovingPicture, VideoContent
from ..lyrics import Lyrics
from ..tags import Tags, find_lyrics
from ..tags.fields import FRONT_COVER
from .outputs import StemMix
from .time_range import TimeRange

NO_WORDS = "no words: the video shows title and picture only"


def video_content(info: SourceInfo, tags: Tags, mix: StemMix, time_range: TimeRange) -> tuple[VideoContent, list[str]]:
    """Collect what the karaoke video of a song shows.

    Parameters
    ----------
    info : SourceInfo
    tags : Tags
        Of the whole song.
    mix : StemMix
        With `karaoke_video`.
    time_range : TimeRange
        The part of the song that is taken.

    Returns
    -------
    content, remarks : VideoContent, list of str

    Raises
    ------
    LyricsError
        The song's own lyrics cannot be read.
    """
    lyrics, remarks = _find_words(info, tags, mix)
    if lyrics is not None:
        stop = None if time_range.duration is None else time_range.start + time_range.duration
        lyrics = lyrics.excerpt(time_range.start, stop).at_tempo(mix.tempo)
    picture = None
    if info.video:
        picture = MovingPicture(info.path, _sound_start(info), time_range.start, mix.tempo)
    covers = sorted(tags.pictures, key=lambda one: one.kind != FRONT_COVER)
    content = VideoContent(
        title=(tags.fields.get("title") or (info.path.stem,))[0],
        artist=", ".join(tags.fields.get("artist", ())),
        lyrics=lyrics,
        cover=covers[0].data if covers else None,
        picture=picture,
    )
    return content, remarks


def _find_words(info: SourceInfo, tags: Tags, mix: StemMix) -> tuple[Lyrics | None, list[str]]:
    """Return lyrics with times, None where there are none, and what the user should know about them."""
    if mix.karaoke_video is not None and mix.karaoke_video.lyrics is not None:
        return with_times(mix.karaoke_video.lyrics), []
    found = find_lyrics(info.path, tags)
    if found is None:
        return None, [NO_WORDS]
    remarks = [f"{found.place}: {problem}" for problem in found.lyrics.problems]
    if not found.lyrics.timed:
        return None, [*remarks, f"the words in {found.place} have no times: the video shows title and picture only"]
    return found.lyrics, [*remarks, f"words from {found.place}"]


def with_times(lyrics: Lyrics, path: pathlib.Path | None = None) -> Lyrics:
    """Return lyrics if their lines have times; raises LyricsError, about the path, if they do not."""
    if not lyrics.timed:
        raise LyricsError(
            "has words without times, and a video needs to know when they are sung",
            path=path,
            hint="an .lrc file has them; in the studio you can tap them in time",
        )
    return lyrics


def _sound_start(info: SourceInfo) -> float:
    """Return the time of a video's first sample of sound, in seconds of its clock."""
    with info.path.open("rb") as file, open_container(AvioFile(file)) as container:
        index = container.streams.audio[info.stream].index
    return first_sample_time(info.path, index)
