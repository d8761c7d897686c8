"""When each line, title and count is on the screen, and how much of a line is sung."""

from __future__ import annotations

import bisect
import dataclasses
import statistics
from collections.abc import Sequence

from ..lyrics import Line, Lyrics

# From so long a pause on, the screen is cleared, the next line appears this long before it is sung, and is counted in.
PAUSE_S, LEAD_S, COUNT = 5.0, 8.0, 3
# Least time of the title before the first line, and time of the small title above words that begin at once.
TITLE_S, SMALL_TITLE_S = 4.0, 5.0
# A line whose end is not known is sung this much slower than others at most, and for so long at least.
SLOWER, SHORTEST_S = 1.5, 3.0
LAST_WORD_S = 1.0
CARD, SMALL = "card", "small"


@dataclasses.dataclass(frozen=True)
class Passage:
    """Lines that are shown together because they begin at the same time, such as a line and its translation.

    Parameters
    ----------
    lines : tuple of Line
    start_s, end_s : float
        When they are sung.
    """

    lines: tuple[Line, ...]
    start_s: float
    end_s: float

    def sung(self, number: int, time_s: float) -> float:
        """Return how many characters of a line have been sung at a time."""
        line = self.lines[number]
        if time_s < self.start_s:
            return 0.0
        if not line.words:
            return float(len(line.text))
        index = bisect.bisect_right([word.start_s for word in line.words], time_s)
        before = float(sum(len(word.text) for word in line.words[: max(0, index - 1)]))
        if index == 0:
            return 0.0
        word = line.words[index - 1]
        end = line.words[index].start_s if index < len(line.words) else line.end_s
        if end is None:
            end = max(word.start_s, min(self.end_s, word.start_s + LAST_WORD_S))
        share = 1.0 if end <= time_s else (time_s - word.start_s) / (end - word.start_s)
        return before + share * len(word.text)


@dataclasses.dataclass(frozen=True)
class Screen:
    """What is shown from a time on, until the next screen.

    Parameters
    ----------
    start_s : float
    current, following : int or None
        Indices of passages.
    title : str
        ``card``, ``small`` or empty.
    count : int
        Seconds to count until `current` is sung; 0 for none.
    """

    start_s: float
    current: int | None = None
    following: int | None = None
    title: str = ""
    count: int = 0


def find_passages(lyrics: Lyrics) -> list[Passage]:
    """Return the passages of lyrics with times, in their order.

    The end of a line that does not give it is the next line, an empty line too, or, before a pause, what the other
    lines' pace lets expect.
    """
    groups: list[list[Line]] = []
    # Where each group ends at the latest.
    limits: list[float | None] = []
    for line in lyrics.lines:
        if line.start_s is None:
            continue
        if limits and limits[-1] is None and line.start_s > (groups[-1][0].start_s or 0.0):
            limits[-1] = line.start_s
        if not line.text:
            continue
        if groups and groups[-1][0].start_s == line.start_s:
            groups[-1].append(line)
        else:
            groups.append([line])
            limits.append(None)
    lengths = [max(len(line.text) for line in group) for group in groups]
    starts = [group[0].start_s or 0.0 for group in groups]
    paces = [
        (limit - start) / length
        for limit, start, length in zip(limits, starts, lengths, strict=True)
        if limit is not None
    ]
    pace = statistics.median(paces) if paces else 0.0
    passages = []
    for group, start, limit, length in zip(groups, starts, limits, lengths, strict=True):
        known = [line.end_s for line in group if line.end_s is not None]
        last = max((line.words[-1].start_s for line in group if line.words), default=start)
        expected = max(start + max(SHORTEST_S, SLOWER * pace * length), last + SHORTEST_S)
        end = max(known) if known else expected
        passages.append(Passage(tuple(group), start, max(start, end if limit is None else min(end, limit))))
    return passages


def plan_screens(passages: Sequence[Passage], titled: bool) -> list[Screen]:
    """Return the screens of a video, in their order; the first begins at 0.

    Parameters
    ----------
    passages : sequence of Passage
    titled : bool
        Whether there is a title to show.
    """
    appear, vanish, paused = _appearances(passages)
    times = {0.0, *appear, *vanish}
    first = appear[0] if appear else None
    if first == 0:
        times.add(SMALL_TITLE_S)
    for passage, start, pause in zip(passages, appear, paused, strict=True):
        if pause:
            times |= {passage.start_s - n for n in range(COUNT + 1) if passage.start_s - n >= start}
    screens: list[Screen] = []
    for time in sorted(times):
        index = bisect.bisect_right(appear, time) - 1
        current = index if index >= 0 and time < vanish[index] else None
        following = None if current is None or current + 1 == len(passages) or paused[current + 1] else current + 1
        left = 0.0 if current is None else passages[current].start_s - time
        # Times are sums of rounded numbers.
        count = round(left) if current is not None and paused[current] and 0.5 < left < COUNT + 0.5 else 0
        title = ""
        if titled and (first is None or time < first):
            title = CARD
        elif titled and first == 0 and time < SMALL_TITLE_S:
            title = SMALL
        screen = Screen(time, current, following, title, count)
        if not screens or dataclasses.replace(screen, start_s=screens[-1].start_s) != screens[-1]:
            screens.append(screen)
    return screens


def _appearances(passages: Sequence[Passage]) -> tuple[list[float], list[float], list[bool]]:
    """Return when each passage appears and vanishes, and whether there is a long pause before it."""
    appear: list[float] = []
    vanish: list[float] = []
    paused: list[bool] = []
    for index, passage in enumerate(passages):
        before = passages[index - 1].end_s if index else 0.0
        if index == 0:
            paused.append(passage.start_s > 0)
            appear.append(max(0.0, passage.start_s - LEAD_S, min(TITLE_S, passage.start_s - TITLE_S)))
            continue
        pause = passage.start_s - before >= PAUSE_S
        paused.append(pause)
        appear.append(max(before, passage.start_s - LEAD_S) if pause else passage.start_s)
        vanish.append(before if pause else passage.start_s)
    return appear, vanish + ([passages[-1].end_s] if passages else []), paused
