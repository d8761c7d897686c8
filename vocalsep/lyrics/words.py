"""Lyrics as lines and words with the times at which they are sung."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Word:
    """A word, or a syllable, of a line.

    Parameters
    ----------
    start_s : float
        When it begins, in seconds from the start of the song.
    text : str
        With the space that follows it: the texts of a line's words together are the text of the line.
    """

    start_s: float
    text: str


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of lyrics.

    Parameters
    ----------
    start_s : float or None
        When it begins, in seconds from the start of the song; None where that is not known.
    text : str
        Empty where the singing pauses, and between stanzas.
    words : tuple of Word
        In the order of their times; empty where only the time of the line is known.
    end_s : float or None
        When it ends; None where that is not known.
    """

    start_s: float | None
    text: str
    words: tuple[Word, ...] = ()
    end_s: float | None = None

    def moved(self, seconds: float, factor: float = 1.0) -> Line:
        """Return the line with its times multiplied by a factor, and then moved by so many seconds.

        Times are rounded to milliseconds; none is below 0.
        """

        def move(time: float) -> float:
            return max(0.0, round(time * factor + seconds, 3))

        return Line(
            None if self.start_s is None else move(self.start_s),
            self.text,
            tuple(Word(move(word.start_s), word.text) for word in self.words),
            None if self.end_s is None else move(self.end_s),
        )


@dataclasses.dataclass(frozen=True)
class Lyrics:
    """The words of a song.

    Parameters
    ----------
    lines : tuple of Line
        In the order in which they are sung. Either all have a start, or none.
    metadata : mapping of str to str
        Title, artist and so on, by the names of LRC tags: ``ti``, ``ar``, ``al``.
    problems : tuple of str
        What could not be read, a line each.
    """

    lines: tuple[Line, ...] = ()
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def timed(self) -> bool:
        """Whether the lines have times."""
        return any(line.start_s is not None for line in self.lines)

    @property
    def text(self) -> str:
        """The words alone, a row for each line."""
        return "\n".join(line.text for line in self.lines).strip("\n")

    def at_tempo(self, tempo: float) -> Lyrics:
        """Return the lyrics of the song at another tempo, in percent of its own."""
        if tempo == 100:
            return self
        return dataclasses.replace(self, lines=tuple(line.moved(0.0, 100 / tempo) for line in self.lines))

    def excerpt(self, start_s: float, stop_s: float | None = None) -> Lyrics:
        """Return the lyrics of a part of the song, between two times in seconds; `stop_s` None is its end.

        A line that is being sung at the start of the part is kept, and begins there.
        """
        if not self.timed:
            return self
        kept = []
        for index, line in enumerate(self.lines):
            begin = line.start_s or 0.0
            following = next((one.start_s or 0.0 for one in self.lines[index + 1 :] if one.start_s != begin), None)
            end = following if line.end_s is None else line.end_s
            if (end is None or end > start_s or begin >= start_s) and (stop_s is None or begin < stop_s):
                kept.append(line.moved(-start_s))
        return dataclasses.replace(self, lines=tuple(kept))
