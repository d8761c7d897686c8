"""Fonts for the words: a file that the user names, or one of the system's that has all the characters (Pillow)."""

from __future__ import annotations

import dataclasses
import itertools
import os
import pathlib
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import UsageError
from ..system.extras import require

# Fonts that read well on a screen: for most alphabets, then for Chinese, Japanese and Korean. The first that has all
# characters is taken.
PREFERRED = (
    *("DejaVuSans-Bold.ttf", "NotoSans-Bold.ttf", "arialbd.ttf", "Arial Bold.ttf", "LiberationSans-Bold.ttf"),
    *("segoeuib.ttf", "verdanab.ttf", "Verdana Bold.ttf", "FreeSansBold.ttf", "Ubuntu-B.ttf", "Roboto-Bold.ttf"),
    *("NotoSansCJK-Bold.ttc", "NotoSansCJK-Regular.ttc", "SourceHanSans-Bold.ttc", "SourceHanSans.ttc"),
    *("msyhbd.ttc", "YuGothB.ttc", "meiryob.ttc", "malgunbd.ttf", "msyh.ttc", "msgothic.ttc", "simhei.ttf"),
    *(
        "PingFang.ttc",
        "Hiragino Sans GB.ttc",
        "ヒラギノ角ゴシック W6.ttc",
        "AppleSDGothicNeo.ttc",
        "STHeiti Medium.ttc",
    ),
    *("wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "ipag.ttf", "NanumGothicBold.ttf"),
    *("Arial Unicode.ttf", "ARIALUNI.TTF", "unifont.otf", "unifont.ttf"),
)
SUFFIXES = (".ttf", ".otf", ".ttc")
# Other files that are tried where none of these has all the characters.
MOST_FILES = 200
# Size at which characters are looked for.
TRIED_SIZE = 24
# No font has a picture for this character: what is drawn instead is drawn for all missing ones.
NO_CHARACTER = "\U0010ffff"
UNSEEN = ("Cc", "Cf", "Zs", "Zl", "Zp")


@dataclasses.dataclass(frozen=True)
class FontChoice:
    """A font file, None for Pillow's own font, and the characters that it lacks."""

    path: pathlib.Path | None
    missing: str = ""

    def of_size(self, pixels: int) -> Any:
        """Return the font at a size."""
        from PIL import ImageFont

        return ImageFont.load_default(pixels) if self.path is None else ImageFont.truetype(str(self.path), pixels)


def check_drawing(font: pathlib.Path | None = None) -> None:
    """Check that words can be drawn, before any work is done.

    Parameters
    ----------
    font : pathlib.Path, optional
        Font file that was asked for.

    Raises
    ------
    MissingExtraError
        Pillow is not installed.
    UsageError
        The file is no font.
    """
    require("video", "a karaoke video")

    import PIL.ImageFont

    if font is not None:
        try:
            PIL.ImageFont.truetype(str(font), TRIED_SIZE)
        except OSError:
            problem = "is no font that can be read" if font.is_file() else "no such font file"
            raise UsageError(problem, path=font, hint="give a .ttf, .otf or .ttc file") from None


def choose_font(texts: Iterable[str], font: pathlib.Path | None = None) -> FontChoice:
    """Choose a font for texts.

    Parameters
    ----------
    texts : iterable of str
    font : pathlib.Path, optional
        File that the user has chosen.

    Returns
    -------
    FontChoice
        Of the user's font, else of the first font that lacks no characters, else of the one that lacks the fewest.
    """
    characters = sorted({one for text in texts for one in text if unicodedata.category(one) not in UNSEEN})
    if font is not None:
        return FontChoice(font, _missing(font, characters))
    best = FontChoice(None, _missing(None, characters))
    for path in itertools.islice(_system_fonts(), MOST_FILES):
        missing = _missing(path, characters)
        if not missing:
            return FontChoice(path)
        if len(missing) < len(best.missing):
            best = FontChoice(path, missing)
    return best


def _missing(path: pathlib.Path | None, characters: Iterable[str]) -> str:
    """Return the characters that a font lacks; all for a file that cannot be read."""
    try:
        font = FontChoice(path).of_size(TRIED_SIZE)
        empty = _image(font, NO_CHARACTER)
        return "".join(one for one in characters if _image(font, one) == empty)
    except (OSError, ValueError):
        return "".join(characters)


def _image(font: Any, character: str) -> tuple[Any, bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def _system_fonts() -> Iterator[pathlib.Path]:
    """Yield font files of the system: preferred ones first, then bold and sans-serif ones."""
    files: dict[str, pathlib.Path] = {}
    for folder in _folders():
        for directory, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                if name.lower().endswith(SUFFIXES):
                    files.setdefault(name, pathlib.Path(directory, name))
    yield from (files[name] for name in PREFERRED if name in files)
    others = [name for name in files if name not in PREFERRED]
    yield from (files[name] for name in sorted(others, key=lambda name: (_rank(name), name)))


def _rank(name: str) -> int:
    lower = name.lower()
    plain = not any(word in lower for word in ("italic", "oblique", "mono", "condensed", "narrow", "light", "thin"))
    return 4 - 2 * plain - ("sans" in lower or "goth" in lower) - ("bold" in lower)


def _folders() -> list[pathlib.Path]:
    home = pathlib.Path(os.path.expanduser("~"))
    windows, local = (os.environ.get(name) for name in ("WINDIR", "LOCALAPPDATA"))
    return [
        *(home / name for name in (".fonts", ".local/share/fonts", "Library/Fonts")),
        *map(pathlib.Path, ("/usr/local/share/fonts", "/usr/share/fonts", "/Library/Fonts", "/System/Library/Fonts")),
        *([pathlib.Path(local, "Microsoft", "Windows", "Fonts")] if local else []),
        *([pathlib.Path(windows, "Fonts")] if windows else []),
    ]
