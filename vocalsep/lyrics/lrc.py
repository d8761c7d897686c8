"""Read and write LRC, the usual text format of timed lyrics.

A line is ``[mm:ss.xx]text``, with several times where it is sung several times; ``<mm:ss.xx>`` before each word gives
the times of words ("enhanced LRC"), and one after the last word its end. ``[ti:...]`` and the like are metadata, and
``[offset:500]`` lets all words appear so many milliseconds earlier.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable

from .words import Line, Lyrics, Word

# Longer than any song: limits for files that are no lyrics.
MOST_LINES = 20_000
LONGEST_LINE = 2000
MOST_PROBLEMS = 20
LATEST_S = 24 * 3600
LONGEST_OFFSET_MS = LATEST_S * 1000
# Minutes, seconds, and a fraction of one to three digits after a dot, a comma or a colon; hours where there are two
# colons and a fraction.
TIME = r"(?:(\d{1,2}):(?=\d+:\d+[.,]))?(\d{1,4}):(\d{1,2})(?:[.,:](\d{1,3}))?"
LINE_TIME = re.compile(rf"\s*\[\s*{TIME}\s*\]", re.ASCII)
WORD_TIME = re.compile(rf"<\s*{TIME}\s*>|\[\s*{TIME}\s*\]", re.ASCII)
METADATA = re.compile(r"\s*\[\s*(#|[A-Za-z][\w-]{0,30})\s*:(.*)\]\s*")
# What looks like the time of a line and is none, such as [1:2x.00].
BROKEN_TIME = re.compile(r"\s*\[[\d:.,\s]*\d[^\]]*\]?")
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
OFFSET = re.compile(r"[+-]?\d{1,9}", re.ASCII)


@dataclasses.dataclass
class _Row:
    """A row of a file: the times of its line, and the line as of the first of them."""

    starts: list[float]
    line: Line


def parse_lrc(text: str) -> Lyrics:
    """Read LRC, or plain text, whose lines get no times.

    Parameters
    ----------
    text : str

    Returns
    -------
    Lyrics
        In the order of their times; rows that cannot be read are left out and listed in its `problems`.
    """
    rows: list[_Row] = []
    untimed: list[tuple[int, str]] = []
    metadata: dict[str, str] = {}
    problems: list[str] = []
    offset_s = 0.0
    for number, row in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        if number > MOST_LINES:
            problems.append(f"there are more than {MOST_LINES} lines: the rest is left out")
            break
        if len(row) > LONGEST_LINE:
            problems.append(f"line {number} has more than {LONGEST_LINE} characters: left out")
            continue
        row = _printable(row)
        starts, rest, problem = _split_times(row)
        field = METADATA.fullmatch(row) if not starts else None
        if problem:
            problems.append(f"line {number} {problem}: left out")
        elif field and field[1].lower() == "offset":
            if OFFSET.fullmatch(field[2].strip()) and abs(int(field[2])) <= LONGEST_OFFSET_MS:
                offset_s = int(field[2]) / 1000
            else:
                problems.append(f"line {number} has an offset that is no number of milliseconds: left out")
        elif field:
            if field[1] != "#" and field[2].strip():
                metadata.setdefault(field[1].lower(), field[2].strip())
        elif starts:
            rows.append(_Row(starts, _timed_line(starts[0], rest)))
        else:
            untimed.append((number, WORD_TIME.sub("", rest).strip()))
    if rows:
        problems += [f"line {number} has no time: left out" for number, words in untimed if words]
        lines = sorted(
            itertools.chain.from_iterable(
                (row.line.moved(start - row.starts[0] - offset_s) for start in row.starts) for row in rows
            ),
            key=lambda line: line.start_s or 0.0,
        )[:MOST_LINES]
    else:
        lines = [Line(None, words) for words in "\n".join(words for _, words in untimed).strip("\n").split("\n")]
        lines = [] if lines == [Line(None, "")] else lines
    more = len(problems) - MOST_PROBLEMS
    if more > 0:
        problems = [*problems[:MOST_PROBLEMS], f"{more} more lines cannot be read"]
    return Lyrics(tuple(lines), metadata, tuple(problems))


def format_lrc(lyrics: Lyrics) -> str:
    """Write lyrics as LRC, with words where their times are known; lines without times become plain text.

    Parameters
    ----------
    lyrics : Lyrics

    Returns
    -------
    str
        Times are rounded to hundredths of a second, the precision that players read.
    """
    rows = [f"[{name}:{_one_row(value)}]" for name, value in lyrics.metadata.items()]
    for line in lyrics.lines:
        text = _plain(line.text)
        if line.start_s is None:
            rows.append(text)
            continue
        row = f"[{_time(line.start_s)}]"
        if line.words:
            row += "".join(f"<{_time(word.start_s)}>{_plain(word.text, strip=False)}" for word in line.words)
        else:
            row += text
        if line.end_s is not None:
            row += f"<{_time(line.end_s)}>"
        rows.append(row)
    return "\n".join(rows) + "\n" if rows else ""


def _split_times(row: str) -> tuple[list[float], str, str]:
    """Return the times before a row's text, the text, and what is wrong with the row, if anything."""
    starts = []
    position = 0
    while match := LINE_TIME.match(row, position):
        time = _seconds(match.groups())
        if time is None:
            return [], "", f"has an impossible time, {match[0].strip()}"
        starts.append(time)
        position = match.end()
    rest = row[position:]
    broken = BROKEN_TIME.match(rest)
    # A text may begin with brackets, but not with something like a time.
    if broken and ":" in broken[0] and not METADATA.fullmatch(rest):
        return [], "", f"has a time that cannot be read, {broken[0].strip()[:20]}"
    return starts, rest, ""


def _timed_line(start: float, text: str) -> Line:
    """Return a line whose text may hold the times of words."""
    words: list[Word] = []
    time, position, end = start, 0, None
    for match in WORD_TIME.finditer(text):
        words.append(Word(time, text[position : match.start()]))
        position = match.end()
        # An impossible time is passed over: its word belongs to the one before it.
        time = max(time, next((t for t in (_seconds(match.groups()[:4]), _seconds(match.groups()[4:])) if t), time))
    if position:
        words.append(Word(time, text[position:]))
        if not words[-1].text.strip():
            end = words[-1].start_s
    words = _joined(words)
    complete = "".join(word.text for word in words) if position else text.strip()
    if len(words) == 1 and words[0].start_s == start:
        words = []
    return Line(start, complete, tuple(words), end)


def _joined(words: Iterable[Word]) -> list[Word]:
    """Join pieces without letters to the word before them, and strip the line's ends."""
    joined: list[Word] = []
    for word in words:
        if joined and not word.text.strip():
            joined[-1] = Word(joined[-1].start_s, joined[-1].text + word.text)
        elif word.text.strip():
            joined.append(word)
    if joined:
        joined[0] = Word(joined[0].start_s, joined[0].text.lstrip())
        joined[-1] = Word(joined[-1].start_s, joined[-1].text.rstrip())
    return joined


def _seconds(groups: tuple[str | None, ...]) -> float | None:
    """Return the time of a match in seconds; None for an impossible one, or none."""
    hours, minutes, seconds, fraction = groups
    if minutes is None or seconds is None or int(seconds) >= 60:
        return None
    milliseconds = (int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)) * 1000
    milliseconds += int((fraction or "0").ljust(3, "0"))
    # One division, so that hundredths are the nearest floating-point numbers.
    return milliseconds / 1000 if milliseconds <= LATEST_S * 1000 else None


def _time(seconds: float) -> str:
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000:02}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"


def _printable(text: str) -> str:
    """Return the text with spaces for control characters, ends of lines and halves of characters."""
    return UNPRINTABLE.sub(" ", text)


def _one_row(text: str) -> str:
    return _printable(text).strip()


def _plain(text: str, strip: bool = True) -> str:
    """Return a text that is not read as times: LRC has no escapes."""
    plain = WORD_TIME.sub("", _printable(text))
    return plain.strip() if strip else plain
