"""Tags and pictures as all formats share them, and the one table of each field's name in each format."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

FRONT_COVER = 3
# A FLAC block holds 2**24 bytes, and the picture shares it with its description.
LARGEST_PICTURE = 16_000_000
MOST_PICTURES = 8
# Characters in all fields together: longer than any lyrics, and short enough for a FLAC block.
MOST_TEXT = 1_000_000


@dataclasses.dataclass(frozen=True)
class Field:
    """One field's name in each family of formats; empty where the family has none."""

    name: str
    id3: str
    mp4: str
    asf: str
    riff: str = ""


# Replay gain is missing on purpose: a stem is not as loud as its song.
FIELDS = (
    Field("title", "TIT2", "\xa9nam", "Title", "INAM"),
    Field("artist", "TPE1", "\xa9ART", "Author", "IART"),
    Field("album", "TALB", "\xa9alb", "WM/AlbumTitle", "IPRD"),
    Field("albumartist", "TPE2", "aART", "WM/AlbumArtist"),
    Field("date", "TDRC", "\xa9day", "WM/Year", "ICRD"),
    Field("genre", "TCON", "\xa9gen", "WM/Genre", "IGNR"),
    Field("tracknumber", "TRCK", "trkn", "WM/TrackNumber", "ITRK"),
    Field("discnumber", "TPOS", "disk", "WM/PartOfSet"),
    Field("composer", "TCOM", "\xa9wrt", "WM/Composer"),
    Field("lyricist", "TEXT", "----:com.apple.iTunes:LYRICIST", "WM/Writer"),
    Field("conductor", "TPE3", "----:com.apple.iTunes:CONDUCTOR", "WM/Conductor"),
    Field("copyright", "TCOP", "cprt", "Copyright", "ICOP"),
    Field("organization", "TPUB", "----:com.apple.iTunes:LABEL", "WM/Publisher"),
    Field("isrc", "TSRC", "----:com.apple.iTunes:ISRC", "WM/ISRC"),
    Field("bpm", "TBPM", "tmpo", "WM/BeatsPerMinute"),
    Field("language", "TLAN", "----:com.apple.iTunes:LANGUAGE", "WM/Language"),
    Field("compilation", "TCMP", "cpil", "WM/IsCompilation"),
    Field("comment", "COMM", "\xa9cmt", "Description", "ICMT"),
    Field("lyrics", "USLT", "\xa9lyr", "WM/Lyrics"),
)
TOTALS = {"tracknumber": "tracktotal", "discnumber": "disctotal"}
NAMES = {field.name for field in FIELDS} | set(TOTALS.values())
# What writers of free-form tags (Vorbis, APE, Matroska) call the same; counts only where the proper name is missing.
ALIASES = {
    "author": "artist",
    "album artist": "albumartist",
    "album_artist": "albumartist",
    "year": "date",
    "date_released": "date",
    "track": "tracknumber",
    "totaltracks": "tracktotal",
    "disc": "discnumber",
    "totaldiscs": "disctotal",
    "label": "organization",
    "publisher": "organization",
    "tempo": "bpm",
    "description": "comment",
    "unsyncedlyrics": "lyrics",
}
IMAGE_STARTS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"GIF8": "image/gif", b"BM": "image/bmp"}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A cover picture: its bytes, its type such as ``image/png``, and ID3's number for what it shows."""

    data: bytes
    mime: str
    kind: int = FRONT_COVER
    description: str = ""


Item = tuple[str, Any] | Picture


@dataclasses.dataclass(frozen=True)
class Tags:
    """Tags of a song under the names of Vorbis comments in lower case, each with its values, and its pictures.

    Parameters
    ----------
    fields : mapping of str to tuple of str
        Names as in `FIELDS`; a number may hold its total too, as in ``3/12``.
    pictures : tuple of Picture
    """

    fields: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()

    def marked(self, mark: str, fallback_title: str) -> Tags:
        """Return the same tags with ``(mark)`` behind the title, an empty one with nothing.

        A song without a title gets `fallback_title`.
        """
        title = (self.fields.get("title") or (_clean(fallback_title),))[0]
        return dataclasses.replace(self, fields={**self.fields, "title": (f"{title} ({mark})" if mark else title,)})


def tidy(items: Iterable[Item]) -> Tags:
    """Bring what was found into the common form: known names, clean text, sound pictures, no duplicates."""
    proper: dict[str, list[str]] = {}
    aliased: dict[str, list[str]] = {}
    pictures: list[Picture] = []
    room = MOST_TEXT
    for item in items:
        if isinstance(item, Picture):
            picture = _checked(item)
            if picture and picture not in pictures and len(pictures) < MOST_PICTURES:
                pictures.append(picture)
            continue
        name, text = item[0].lower(), _clean(str(item[1]))
        if name not in NAMES and name not in ALIASES:
            continue
        fields = proper if name in NAMES else aliased
        values = fields.setdefault(ALIASES.get(name, name), [])
        if text and text not in values and len(text) <= room:
            values.append(text)
            room -= len(text)
    found = {**aliased, **{name: values for name, values in proper.items() if values}}
    _join_numbers(found)
    ordered = {field.name: tuple(found[field.name]) for field in FIELDS if found.get(field.name)}
    return Tags(ordered, tuple(pictures))


def _clean(text: str) -> str:
    # File names that are no UTF-8 come with surrogates, which no tag can hold.
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()


def _join_numbers(fields: dict[str, list[str]]) -> None:
    """Bring each spelling of track, disc and compilation into one form."""
    for name, total in TOTALS.items():
        parts = [part.strip() for part in "/".join([*fields.get(name, [])[:1], *fields.get(total, [])[:1]]).split("/")]
        kept = parts[: 1 if len(parts) > 1 and not parts[1].strip("0") else 2]
        fields[name] = ["/".join(kept)] if fields.get(name) and kept[0] else []
    yes = [value for value in fields.get("compilation", []) if value.lower() in ("1", "true", "yes")]
    fields["compilation"] = ["1"] if yes else []


def _checked(picture: Picture) -> Picture | None:
    """Return the picture with the type that its data shows; None where it is no picture, or too large for some format.

    A link in place of the picture (type ``-->``) is none either.
    """
    mimes = [mime for start, mime in IMAGE_STARTS.items() if picture.data.startswith(start)]
    mime = (mimes or [picture.mime.lower()])[0]
    if not mime.startswith("image/") or not 0 < len(picture.data) <= LARGEST_PICTURE:
        return None
    kind = picture.kind if 0 <= picture.kind <= 20 else 0
    return Picture(picture.data, mime, kind, _clean(picture.description)[:1000])
