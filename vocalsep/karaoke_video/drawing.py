"""Draw words, titles and counts as overlays (Pillow)."""

from __future__ import annotations

import dataclasses
import io
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from .fonts import FontChoice
from .frames import Frame, Overlay, yuv_frame
from .screens import CARD, Passage, Screen

# Sizes as shares of the picture's height or width.
WORDS_SIZE, FOLLOWING_SIZE, TITLE_SIZE, ARTIST_SIZE, SMALL_TITLE_SIZE = 0.092, 0.058, 0.1, 0.058, 0.045
SMALLEST_SIZE = 0.028
TEXT_WIDTH = 0.9
WORDS_TOP, FOLLOWING_TOP, COUNT_ABOVE = 0.52, 0.8, 0.07
COVER_TOP, COVER_SIZE, TITLE_TOP, TITLE_TOP_ALONE = 0.1, 0.44, 0.6, 0.38
DOT_SIZE, SUPERSAMPLED = 0.03, 4
LINE_SPACING, OUTLINE = 1.22, 0.07
MOST_ROWS, MOST_TITLE_ROWS = 3, 2
# By how much a font shrinks until its text fits, and how much larger than calculated the first one is.
SHRINK, LARGEST_GUESS = 0.92, 1.3
LONGEST_TEXT = 400
WHITE, SUNG, DIM, BLACK = (255, 255, 255), (255, 205, 64), (196, 204, 220), (0, 0, 0)
PLAIN_BACKGROUND = (18, 24, 42)
# The cover behind the words: how much of its light is kept, and how far it is blurred, as a share of the height.
COVER_LIGHT, COVER_BLUR = 0.35, 0.025
MOST_PIXELS, LARGEST_COVER = 60_000_000, 2048
RIGHT_TO_LEFT = ("R", "AL")
# Between characters of Chinese and Japanese a line may end; elsewhere between words.
TOKEN = re.compile("[\u2e80-\ua4cf\uf900-\ufaff\ufe30-\uffef]|\\s+|[^\\s\u2e80-\ua4cf\uf900-\ufaff\ufe30-\uffef]+")


@dataclasses.dataclass
class WipedRow:
    """A row of a line that is sung: the same words in both colours.

    Parameters
    ----------
    line : int
        Index of its line in the passage.
    first : int
        Index of its first character in the line.
    edges : ndarray (characters + 1,)
        Column of the overlays at which each character begins, and the end of the last.
    right_to_left : bool
    unsung, sung : Overlay
    """

    line: int
    first: int
    edges: np.ndarray
    right_to_left: bool
    unsung: Overlay
    sung: Overlay

    def columns(self, characters: float) -> tuple[int, int]:
        """Return the first and last column of what is sung, after so many characters of the line."""
        within = min(max(characters - self.first, 0.0), len(self.edges) - 1.0)
        edge = 2 * round(float(np.interp(within, np.arange(len(self.edges)), self.edges)) / 2)
        if within == len(self.edges) - 1:
            return 0, self.sung.width
        if within == 0:
            return 0, 0
        return (self.sung.width - edge, self.sung.width) if self.right_to_left else (0, edge)


@dataclasses.dataclass
class Scene:
    """What a screen shows: overlays that stay, and rows that are wiped."""

    fixed: list[Overlay]
    rows: list[WipedRow]


class Drawing:
    """Draw the screens of one video.

    Parameters
    ----------
    width, height : int
        Pixels of the picture.
    font : FontChoice
    passages : sequence of Passage
    title, artist : str
    cover : PIL.Image.Image or None
    """

    def __init__(
        self,
        width: int,
        height: int,
        font: FontChoice,
        passages: Sequence[Passage],
        title: str = "",
        artist: str = "",
        cover: Any = None,
    ):
        self.width, self.height = width, height
        self.font = font
        self.passages = passages
        self.title, self.artist = title, artist
        self.cover = cover
        # Rows of the screen that was drawn last, by passage, as the next one mostly shows them too.
        self._rows: dict[int, list[WipedRow]] = {}

    def background(self) -> Frame:
        """Return the picture behind the words: the cover, blurred and darkened, or one colour."""
        from PIL import Image, ImageEnhance, ImageFilter, ImageOps

        size = (self.width, self.height)
        if self.cover is None:
            return yuv_frame(Image.new("RGB", size, PLAIN_BACKGROUND))
        image = ImageOps.fit(self.cover, size)
        image = image.filter(ImageFilter.GaussianBlur(COVER_BLUR * self.height))
        return yuv_frame(ImageEnhance.Brightness(image).enhance(COVER_LIGHT))

    def scene(self, screen: Screen) -> Scene:
        """Draw a screen."""
        fixed = self._title(screen.title)
        rows: list[WipedRow] = []
        if screen.current is not None:
            rows = self._rows.get(screen.current) or self._passage_rows(self.passages[screen.current])
            self._rows = {screen.current: rows}
        if screen.following is not None:
            texts = [line.text for line in self.passages[screen.following].lines]
            fixed += self._block(texts, FOLLOWING_SIZE, FOLLOWING_TOP, DIM, MOST_TITLE_ROWS)
        if screen.count and rows:
            fixed.append(self._dots(screen.count, rows[0].sung.top))
        return Scene(fixed, rows)

    def _title(self, kind: str) -> list[Overlay]:
        if not kind:
            return []
        if kind != CARD:
            text = " – ".join(part for part in (self.artist, self.title) if part)
            return self._block([text], SMALL_TITLE_SIZE, 0.05, WHITE, 1)
        overlays = []
        top = TITLE_TOP_ALONE
        if self.cover is not None:
            image = self.cover.copy()
            image.thumbnail((round(TEXT_WIDTH * self.width), round(COVER_SIZE * self.height)))
            overlays.append(self._overlay(image, (self.width - image.width) // 2, round(COVER_TOP * self.height)))
            top = TITLE_TOP
        titles = self._block([self.title], TITLE_SIZE, top, WHITE, MOST_TITLE_ROWS)
        bottom = max((one.top + one.height for one in titles), default=round(top * self.height)) / self.height
        return overlays + titles + self._block([self.artist], ARTIST_SIZE, bottom + 0.01, DIM, 1)

    def _block(self, texts: Sequence[str], size: float, top: float, colour: Any, most_rows: int) -> list[Overlay]:
        texts = [text for text in texts if text]
        if not texts:
            return []
        font, rows = self._wrapped(texts, size, most_rows)
        return [
            self._overlay(self._row_image(font, row, colour), *place)
            for (_, _, row), place in zip(rows, self._places(font, rows, top), strict=True)
        ]

    def _passage_rows(self, passage: Passage) -> list[WipedRow]:
        font, rows = self._wrapped([line.text for line in passage.lines], WORDS_SIZE, MOST_ROWS)
        places = self._places(font, rows, WORDS_TOP)
        wiped = []
        for (line, first, text), place in zip(rows, places, strict=True):
            unsung, sung = (self._overlay(self._row_image(font, text, one), *place) for one in (WHITE, SUNG))
            edges = np.array([font.getlength(text[:end]) for end in range(len(text) + 1)]) + _outline(font)
            wiped.append(WipedRow(line, first, np.maximum.accumulate(edges), _right_to_left(text), unsung, sung))
        return wiped

    def _wrapped(self, texts: Sequence[str], size: float, most_rows: int) -> tuple[Any, list[tuple[int, int, str]]]:
        """Return the largest font in which texts fit, and their rows: index of the text, first character, and text."""
        limit = TEXT_WIDTH * self.width
        smallest = max(8, round(SMALLEST_SIZE * self.height))
        pixels = max(smallest, round(size * self.height))
        texts = [text[:LONGEST_TEXT] for text in texts]
        # Sizes that are much too large are passed over.
        needed = sum(self.font.of_size(pixels).getlength(text) for text in texts)
        pixels = max(smallest, min(pixels, int(pixels * LARGEST_GUESS * max(most_rows, len(texts)) * limit / needed)))
        while True:
            font = self.font.of_size(pixels)
            rows = [(n, first, row) for n, text in enumerate(texts) for first, row in _wrap(font, text, limit)]
            if len(rows) <= max(most_rows, len(texts)) and all(font.getlength(row) <= limit for _, _, row in rows):
                return font, rows
            if pixels == smallest:
                return font, [
                    (n, first, _cut(font, row, limit)) for n, first, row in rows[: max(most_rows, len(texts))]
                ]
            pixels = max(smallest, int(pixels * SHRINK))

    def _places(self, font: Any, rows: Sequence[tuple[int, int, str]], top: float) -> list[tuple[int, int]]:
        spacing = LINE_SPACING * font.size
        return [
            (
                round((self.width - font.getlength(row)) / 2) - _outline(font),
                round(top * self.height + number * spacing),
            )
            for number, (_, _, row) in enumerate(rows)
        ]

    def _row_image(self, font: Any, text: str, colour: tuple[int, int, int]) -> Any:
        from PIL import Image, ImageDraw

        outline = _outline(font)
        ascent, descent = font.getmetrics()
        size = (int(font.getlength(text)) + 2 * outline + 2, ascent + descent + 2 * outline)
        image = Image.new("RGBA", size, (*BLACK, 0))
        ImageDraw.Draw(image).text(
            (outline, outline), text, font=font, fill=(*colour, 255), stroke_width=outline, stroke_fill=(*BLACK, 255)
        )
        return image

    def _dots(self, count: int, below: int) -> Overlay:
        from PIL import Image, ImageDraw

        diameter = max(4, round(DOT_SIZE * self.height))
        large = diameter * SUPERSAMPLED
        image = Image.new("RGBA", (large * (2 * count - 1), large), (*SUNG, 0))
        for number in range(count):
            ImageDraw.Draw(image).ellipse(
                (2 * number * large, 0, (2 * number + 1) * large - 1, large - 1), (*SUNG, 255)
            )
        image = image.resize((diameter * (2 * count - 1), diameter), Image.Resampling.BOX)
        return self._overlay(image, (self.width - image.width) // 2, below - round(COUNT_ABOVE * self.height))

    def _overlay(self, image: Any, left: int, top: int) -> Overlay:
        return Overlay(image, left, top, self.width, self.height)


def open_cover(data: bytes) -> Any:
    """Return a cover as a Pillow image in RGB; None where it cannot be decoded, or is very large."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.draft("RGB", (LARGEST_COVER, LARGEST_COVER))
            cover = ImageOps.exif_transpose(image).convert("RGB")
            cover.thumbnail((LARGEST_COVER, LARGEST_COVER))
            return cover
    except Exception:
        # Decoders raise errors of many kinds on damaged pictures.
        return None


def _outline(font: Any) -> int:
    return max(1, round(OUTLINE * font.size))


def _wrap(font: Any, text: str, limit: float) -> list[tuple[int, str]]:
    """Return the rows of a text, of about equal widths: index of the first character, and text."""
    rows = _filled(font, text, limit)
    if len(rows) > 1:
        for share in np.arange(1 / len(rows), 1, 0.1):
            equal = _filled(font, text, limit * share)
            if len(equal) == len(rows):
                return equal
    return rows


def _filled(font: Any, text: str, limit: float) -> list[tuple[int, str]]:
    """Return the rows of a text, each as full as possible."""
    rows: list[tuple[int, str]] = []
    first, row = 0, ""
    for match in TOKEN.finditer(text):
        for piece in _pieces(font, match[0], limit):
            if row.strip() and not piece.isspace() and font.getlength(row + piece) > limit:
                rows.append((first, row.rstrip()))
                first, row = first + len(row), ""
            row += piece
    return [*rows, (first, row.rstrip())]


def _pieces(font: Any, token: str, limit: float) -> list[str]:
    """Return a token, in pieces where it is wider than a row."""
    if token.isspace() or font.getlength(token) <= limit:
        return [token]
    pieces = [""]
    for character in token:
        if font.getlength(pieces[-1] + character) > limit and pieces[-1]:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _cut(font: Any, text: str, limit: float) -> str:
    """Return a text, without its end where it is too wide."""
    while len(text) > 1 and font.getlength(text) > limit:
        text = text[:-1]
    return text


def _right_to_left(text: str) -> bool:
    strong = (unicodedata.bidirectional(one) for one in text)
    return next((kind in RIGHT_TO_LEFT for kind in strong if kind in ("L", *RIGHT_TO_LEFT)), False)
