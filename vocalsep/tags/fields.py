"""Tags in a form that all file formats share, and the table of each field's name in each format."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..lyrics import Lyrics, format_lrc, parse_lrc
from .broadcast import Broadcast

FRONT_COVER = 3
# A FLAC block holds 2**24 bytes, and the picture shares it with its description.
LARGEST_PICTURE = 16_000_000
MOST_PICTURES = 8
# Characters in all fields together: longer than any lyrics, and short enough for a FLAC block.
MOST_TEXT = 1_000_000


# Number of custom fields, and characters in the name of one.
MAX_CUSTOM_FIELDS, LONGEST_CUSTOM_NAME = 200, 100
MOST_CHAPTERS = 1000
# Fields that may hold LRC, the one that should first.
SYNCED = "syncedlyrics"
LYRICS_FIELDS = (SYNCED, "lyrics")


@dataclasses.dataclass(frozen=True)
class Field:
    """Name of one field in each family of formats; empty where the family has none.

    In `id3`, ``TXXX:`` precedes the description of a user-defined frame, ``UFID:`` the owner of an identifier. A field
    without a name in `mp4` is written as a free-form atom.
    """

    name: str
    id3: str = ""
    mp4: str = ""
    asf: str = ""
    riff: str = ""

    @property
    def atom(self) -> str:
        """Name of the field's atom in MP4."""
        return self.mp4 or FREE_FORM_ATOM + self.name.upper()


FREE_FORM_ATOM = "----:com.apple.iTunes:"


def _musicbrainz(name: str) -> tuple[str, str]:
    """Return a MusicBrainz field's name in MP4 and in ASF."""
    return f"{FREE_FORM_ATOM}MusicBrainz {name}", f"MusicBrainz/{name}"


# Replay gain is left out on purpose: a stem is not as loud as its song.
FIELDS = (
    Field("title", "TIT2", "\xa9nam", "Title", "INAM"),
    Field("artist", "TPE1", "\xa9ART", "Author", "IART"),
    Field("album", "TALB", "\xa9alb", "WM/AlbumTitle", "IPRD"),
    Field("albumartist", "TPE2", "aART", "WM/AlbumArtist"),
    Field("date", "TDRC", "\xa9day", "WM/Year", "ICRD"),
    Field("genre", "TCON", "\xa9gen", "WM/Genre", "IGNR"),
    Field("tracknumber", "TRCK", "trkn", "WM/TrackNumber", "ITRK"),
    Field("discnumber", "TPOS", "disk", "WM/PartOfSet"),
    Field("composer", "TCOM", "\xa9wrt", "WM/Composer", "IMUS"),
    Field("lyricist", "TEXT", "", "WM/Writer", "IWRI"),
    Field("conductor", "TPE3", "", "WM/Conductor"),
    Field("copyright", "TCOP", "cprt", "Copyright", "ICOP"),
    Field("organization", "TPUB", "----:com.apple.iTunes:LABEL", "WM/Publisher", "IPUB"),
    Field("isrc", "TSRC", "", "WM/ISRC"),
    Field("bpm", "TBPM", "tmpo", "WM/BeatsPerMinute", "IBPM"),
    Field("language", "TLAN", "", "WM/Language", "ILNG"),
    Field("compilation", "TCMP", "cpil", "WM/IsCompilation"),
    Field("comment", "COMM", "\xa9cmt", "Description", "ICMT"),
    Field("lyrics", "USLT", "\xa9lyr", "WM/Lyrics"),
    # As LRC text. ID3 has a frame for it too, which holds times and words only.
    Field(SYNCED, "TXXX:SYNCEDLYRICS"),
    Field("initialkey", "TKEY", "----:com.apple.iTunes:initialkey", "WM/InitialKey"),
    Field("remixer", "TPE4", "", "WM/ModifiedBy", "IEDT"),
    Field("grouping", "TIT1", "\xa9grp", "WM/ContentGroupDescription"),
    Field("subtitle", "TIT3", "", "WM/SubTitle"),
    Field("discsubtitle", "TSST", "", "WM/SetSubTitle"),
    Field("media", "TMED", "", "WM/Media", "IMED"),
    Field("originalartist", "TOPE", "", "WM/OriginalArtist"),
    Field("originalalbum", "TOAL", "", "WM/OriginalAlbumTitle"),
    Field("originaldate", "TDOR", "", "WM/OriginalReleaseTime"),
    Field("titlesort", "TSOT", "sonm", "WM/TitleSortOrder"),
    Field("artistsort", "TSOP", "soar", "WM/ArtistSortOrder"),
    Field("albumsort", "TSOA", "soal", "WM/AlbumSortOrder"),
    Field("albumartistsort", "TSO2", "soaa", "WM/AlbumArtistSortOrder"),
    Field("composersort", "TSOC", "soco", "WM/ComposerSortOrder"),
    Field("work", "TXXX:WORK", "\xa9wrk", "WM/Work"),
    Field("movementname", "MVNM", "\xa9mvn"),
    Field("website", "TXXX:WEBSITE", "", "WM/AuthorURL"),
    Field("barcode", "TXXX:BARCODE", "", "WM/Barcode"),
    Field("catalognumber", "TXXX:CATALOGNUMBER", "", "WM/CatalogNo"),
    Field("arranger", "TIPL:arranger", "", "WM/Arranger"),
    Field("engineer", "TIPL:engineer", "", "WM/Engineer", "IENG"),
    Field("producer", "TIPL:producer", "", "WM/Producer", "IPRO"),
    Field("mixer", "TIPL:mix", "", "WM/Mixer"),
    Field("djmixer", "TIPL:DJ-mix", "", "WM/DJMixer"),
    Field("performer", "TXXX:PERFORMER"),
    Field("musicbrainz_trackid", "UFID:http://musicbrainz.org", *_musicbrainz("Track Id")),
    *(
        Field(f"musicbrainz_{name}", f"TXXX:MusicBrainz {spelt}", *_musicbrainz(spelt))
        for name, spelt in (
            ("releasetrackid", "Release Track Id"),
            ("albumid", "Album Id"),
            ("artistid", "Artist Id"),
            ("albumartistid", "Album Artist Id"),
            ("releasegroupid", "Release Group Id"),
            ("workid", "Work Id"),
            ("discid", "Disc Id"),
        )
    ),
    Field("releasetype", "TXXX:MusicBrainz Album Type", *_musicbrainz("Album Type")),
    Field("releasestatus", "TXXX:MusicBrainz Album Status", *_musicbrainz("Album Status")),
    Field("releasecountry", "TXXX:MusicBrainz Album Release Country", *_musicbrainz("Album Release Country")),
)
TOTALS = {"tracknumber": "tracktotal", "discnumber": "disctotal"}
NAMES = {field.name for field in FIELDS} | set(TOTALS.values())
# Other names of the same fields in free-form tags (Vorbis, APE, Matroska, user-defined frames), used only where the
# standard name is missing.
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
    "key": "initialkey",
    "initial key": "initialkey",
    "initial_key": "initialkey",
    "remixed_by": "remixer",
    "remixedby": "remixer",
    "mixartist": "remixer",
    "modifiedby": "remixer",
    "content group": "grouping",
    "contentgroup": "grouping",
    "original artist": "originalartist",
    "originalyear": "originaldate",
    "original date": "originaldate",
    "ean/upc": "barcode",
    "upc": "barcode",
    "country": "releasecountry",
    **{
        # As frames, atoms and ASF attributes spell them.
        field.id3.partition(":")[2].lower(): field.name
        for field in FIELDS
        if field.id3.startswith("TXXX:MusicBrainz")
    },
    "musicbrainz track id": "musicbrainz_trackid",
}
# Fields that describe one file and not the song: loudness, encoder, disc, decoder settings.
FILE_SPECIFIC = re.compile(
    r"replay_?gain|^rg_|^r128|loudness|dynamic ?range|\bpeak\b|_peak|mp3gain|^itun|^serato|^traktor|fingerprint|"
    r"accurate ?rip|^ctdb|^cdtoc|^toc$|cue_?sheet|^log$|^ripp|^md5|^crc|checksum|"
    r"encod|^tool ?(name|version)|^software|^length$|^duration$|^bitrate$|^bps$|^number_of_|^_statistics|"
    r"^major_brand|^minor_version|^compatible_brands|^creation_time|^handler_name|^vendor_id|"
    r"^wmfsdk|^isvbr|^deviceconformance|^mediaprimaryclass|^mediaclass|^wmadrc|^uniquefile|^provider|^waveformat|"
    r"^coverart|^metadata_block_picture|^chapter\d|^coding_history|^time_reference|^originat|^umid",
    re.IGNORECASE,
)
IMAGE_STARTS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"GIF8": "image/gif", b"BM": "image/bmp"}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A cover picture: its bytes, MIME type such as ``image/png``, and ID3's number of the picture type."""

    data: bytes
    mime: str
    kind: int = FRONT_COVER
    description: str = ""


@dataclasses.dataclass(frozen=True)
class Chapter:
    """A chapter of a song or an audiobook: start and end in seconds, and title."""

    start: float
    end: float
    title: str


Item = tuple[str, Any] | Picture


@dataclasses.dataclass(frozen=True)
class Tags:
    """Tags of a song, under the lower-case names of Vorbis comments.

    Parameters
    ----------
    fields : mapping of str to tuple of str
        Values by name, see `FIELDS`; a track or disc number may include the total, as in ``3/12``.
    pictures : tuple of Picture
    custom : mapping of str to tuple of str
        Fields with names that are not in `FIELDS`, in their own spelling.
    chapters : tuple of Chapter
        In the order of their starts.
    broadcast : Broadcast, optional
        Description and time reference of a Broadcast WAV.
    """

    fields: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    custom: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    chapters: tuple[Chapter, ...] = ()
    broadcast: Broadcast | None = None

    def with_title_mark(self, mark: str, fallback_title: str) -> Tags:
        """Return the tags with ``(mark)`` appended to the title.

        Parameters
        ----------
        mark : str
            An empty mark leaves the title as it is.
        fallback_title : str
            Title of a song that has none.
        """
        title = (self.fields.get("title") or (clean_text(fallback_title),))[0]
        return dataclasses.replace(self, fields={**self.fields, "title": (f"{title} ({mark})" if mark else title,)})

    def excerpt(self, start: int, samples: int, sample_rate: int) -> Tags:
        """Return the tags of an excerpt of the song: with its chapters and its time reference.

        Parameters
        ----------
        start, samples : int
            First sample and number of samples.
        sample_rate : int
            Hz.
        """
        first, last = start / sample_rate, (start + samples) / sample_rate
        chapters = tuple(
            Chapter(max(0.0, one.start - first), min(last, one.end) - first, one.title)
            for one in self.chapters
            if one.start < last and one.end > first
        )
        broadcast = self.broadcast and self.broadcast.shifted(start)
        fields = _with_lyrics(self.fields, lambda lyrics: lyrics.excerpt(first, last))
        return dataclasses.replace(self, fields=fields, chapters=chapters, broadcast=broadcast)

    def at_key_and_tempo(self, key: float, tempo: float) -> Tags:
        """Return the tags of the song after a change of key and tempo.

        Chapters, beats per minute and the times of lyrics are scaled; the initial key is removed where the key changes.

        Parameters
        ----------
        key : float
            Semitones.
        tempo : float
            Percent of the original tempo.
        """
        if key == 0 and tempo == 100:
            return self
        fields = {name: values for name, values in self.fields.items() if name != "initialkey" or key == 0}
        if "bpm" in fields:
            fields["bpm"] = tuple(_scaled(value, tempo / 100) for value in fields["bpm"])
        fields = _with_lyrics(fields, lambda lyrics: lyrics.at_tempo(tempo))
        chapters = tuple(Chapter(one.start * 100 / tempo, one.end * 100 / tempo, one.title) for one in self.chapters)
        return dataclasses.replace(self, fields=fields, chapters=chapters)


def normalize(items: Iterable[Item]) -> Tags:
    """Return tags with standard names, valid text, valid pictures and no duplicates."""
    standard: dict[str, list[str]] = {}
    aliased: dict[str, list[str]] = {}
    # By the lower-case name: the first spelling of the name, and its values.
    custom: dict[str, tuple[str, list[str]]] = {}
    pictures: list[Picture] = []
    room = MOST_TEXT
    for item in items:
        if isinstance(item, Picture):
            picture = _valid_picture(item)
            if picture and picture not in pictures and len(pictures) < MOST_PICTURES:
                pictures.append(picture)
            continue
        spelling, text = clean_text(item[0]), clean_text(str(item[1]))
        name = spelling.lower()
        if name in NAMES:
            values = standard.setdefault(name, [])
        elif name in ALIASES:
            values = aliased.setdefault(ALIASES[name], [])
        elif _is_custom(name) and (name in custom or len(custom) < MAX_CUSTOM_FIELDS):
            values = custom.setdefault(name, (spelling, []))[1]
        else:
            continue
        if text and text not in values and len(text) <= room:
            values.append(text)
            room -= len(text)
    merged = {**aliased, **{name: values for name, values in standard.items() if values}}
    _normalize_numbers(merged)
    ordered = {field.name: tuple(merged[field.name]) for field in FIELDS if merged.get(field.name)}
    return Tags(ordered, tuple(pictures), {name: tuple(values) for name, values in custom.values() if values})


def _is_custom(name: str) -> bool:
    """Return whether a field of this name is kept: it can be written, and describes the song and not one file."""
    return (
        0 < len(name) <= LONGEST_CUSTOM_NAME
        and name.isprintable()
        and "=" not in name
        and not FILE_SPECIFIC.search(name)
    )


def _with_lyrics(
    fields: Mapping[str, tuple[str, ...]], change: Callable[[Lyrics], Lyrics]
) -> dict[str, tuple[str, ...]]:
    """Return the fields with all lyrics changed that have times."""
    changed = dict(fields)
    for name in LYRICS_FIELDS:
        texts = []
        for text in fields.get(name, ()):
            lyrics = parse_lrc(text)
            texts.append(format_lrc(change(lyrics)).strip() if lyrics.timed else text)
        if any(texts):
            changed[name] = tuple(text for text in texts if text)
        else:
            changed.pop(name, None)
    return changed


def _scaled(number: str, factor: float) -> str:
    try:
        return f"{float(number) * factor:.6g}"
    except ValueError:
        return number


def clean_text(text: str) -> str:
    """Return the text without characters that tags cannot hold."""
    # File names that are not valid UTF-8 contain surrogates.
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()


def _normalize_numbers(fields: dict[str, list[str]]) -> None:
    """Bring all spellings of track number, disc number and compilation into one form, in place."""
    for name, total in TOTALS.items():
        parts = [part.strip() for part in "/".join([*fields.get(name, [])[:1], *fields.get(total, [])[:1]]).split("/")]
        kept = parts[: 1 if len(parts) > 1 and not parts[1].strip("0") else 2]
        fields[name] = ["/".join(kept)] if fields.get(name) and kept[0] else []
    truthy = [value for value in fields.get("compilation", []) if value.lower() in ("1", "true", "yes")]
    fields["compilation"] = ["1"] if truthy else []


def _valid_picture(picture: Picture) -> Picture | None:
    """Return the picture with the type that its data has; None where it is not a picture, only a link, or too large."""
    detected = [mime for start, mime in IMAGE_STARTS.items() if picture.data.startswith(start)]
    mime = (detected or [picture.mime.lower()])[0]
    if not mime.startswith("image/") or not 0 < len(picture.data) <= LARGEST_PICTURE:
        return None
    kind = picture.kind if 0 <= picture.kind <= 20 else 0
    return Picture(picture.data, mime, kind, clean_text(picture.description)[:1000])
