"""Tags and cover art of songs, from any format to any other (mutagen)."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import pathlib
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any

from .errors import OutputError

FRONT_COVER = 3
# A FLAC block holds 2**24 bytes, and the picture shares it with its description.
LARGEST_PICTURE = 16_000_000
MOST_PICTURES = 8
# Characters in all fields together: longer than any lyrics, and short enough for a FLAC block.
MOST_TEXT = 1_000_000
LARGEST_LIST = 1_000_000
MOST_CHUNKS = 10_000


@dataclasses.dataclass(frozen=True)
class _Field:
    """One field's name in each family of formats; empty where the family has none."""

    name: str
    id3: str
    mp4: str
    asf: str
    riff: str = ""


# Replay gain is missing on purpose: a stem is not as loud as its song.
FIELDS = (
    _Field("title", "TIT2", "\xa9nam", "Title", "INAM"),
    _Field("artist", "TPE1", "\xa9ART", "Author", "IART"),
    _Field("album", "TALB", "\xa9alb", "WM/AlbumTitle", "IPRD"),
    _Field("albumartist", "TPE2", "aART", "WM/AlbumArtist"),
    _Field("date", "TDRC", "\xa9day", "WM/Year", "ICRD"),
    _Field("genre", "TCON", "\xa9gen", "WM/Genre", "IGNR"),
    _Field("tracknumber", "TRCK", "trkn", "WM/TrackNumber", "ITRK"),
    _Field("discnumber", "TPOS", "disk", "WM/PartOfSet"),
    _Field("composer", "TCOM", "\xa9wrt", "WM/Composer"),
    _Field("lyricist", "TEXT", "----:com.apple.iTunes:LYRICIST", "WM/Writer"),
    _Field("conductor", "TPE3", "----:com.apple.iTunes:CONDUCTOR", "WM/Conductor"),
    _Field("copyright", "TCOP", "cprt", "Copyright", "ICOP"),
    _Field("organization", "TPUB", "----:com.apple.iTunes:LABEL", "WM/Publisher"),
    _Field("isrc", "TSRC", "----:com.apple.iTunes:ISRC", "WM/ISRC"),
    _Field("bpm", "TBPM", "tmpo", "WM/BeatsPerMinute"),
    _Field("language", "TLAN", "----:com.apple.iTunes:LANGUAGE", "WM/Language"),
    _Field("compilation", "TCMP", "cpil", "WM/IsCompilation"),
    _Field("comment", "COMM", "\xa9cmt", "Description", "ICMT"),
    _Field("lyrics", "USLT", "\xa9lyr", "WM/Lyrics"),
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


_Item = tuple[str, Any] | Picture


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
        """Return the same tags with ``(mark)`` behind the title; a song without a title gets `fallback_title`."""
        title = (self.fields.get("title") or (_clean(fallback_title),))[0]
        return dataclasses.replace(self, fields={**self.fields, "title": (f"{title} ({mark})",)})


def read_tags(path: str | pathlib.Path) -> Tags:
    """Read what tags can be read; broken ones count as none, and nothing is raised.

    Parameters
    ----------
    path : str or pathlib.Path
        A file of any kind, or none at all.

    Returns
    -------
    Tags
        Without what is too large for some format: pictures of more than 16 MB and endless texts.
    """
    for reader in (_read_with_mutagen, _read_riff_info, _read_with_ffmpeg):
        tags = _tidy(_until_broken(reader(pathlib.Path(path))))
        if tags.fields or tags.pictures:
            return tags
    return Tags()


def write_tags(path: str | pathlib.Path, tags: Tags) -> None:
    """Replace the tags of a finished file; a format that cannot hold tags is left as it is.

    Parameters
    ----------
    path : str or pathlib.Path
        Its suffix tells the format.
    tags : Tags
        What the format has no place for is left out.

    Raises
    ------
    OutputError
        The tags cannot be written; the file may be incomplete.
    """
    path = pathlib.Path(path)
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        return
    items = ((name, value) for name, values in tags.fields.items() for value in values)
    try:
        writer(path, _tidy((*items, *tags.pictures)))
    except Exception as error:
        # Besides its own errors, mutagen lets through whatever its parsers stumble over.
        cause = next((e for e in (error, *error.args) if isinstance(e, OSError)), None)
        reason = (cause and cause.strerror) or str(error) or type(error).__name__
        raise OutputError(
            f"cannot write the tags of a {path.suffix} file in {path.parent}: {reason.lower()}; "
            "free some space there, or choose another folder or format"
        ) from error


def _tidy(items: Iterable[_Item]) -> Tags:
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


def _until_broken(items: Iterator[_Item]) -> Iterator[_Item]:
    # Parsers raise many kinds of errors on damaged tags; what came before the damage is worth keeping.
    with contextlib.suppress(Exception):
        yield from items


def _read_with_mutagen(path: pathlib.Path) -> Iterator[_Item]:
    import mutagen
    from mutagen.apev2 import APEv2
    from mutagen.asf import ASFTags
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4Tags

    file: Any = mutagen.File(path)
    for kind, reader in ((ID3, _read_id3), (MP4Tags, _read_mp4), (ASFTags, _read_asf), (APEv2, _read_ape)):
        if isinstance(file.tags, kind):
            yield from reader(file.tags)
            return
    for block in getattr(file, "pictures", []):
        yield _from_block(block)
    yield from _read_vorbis(file.tags or [])


def _read_id3(tags: Any) -> Iterator[_Item]:
    for field in FIELDS:
        for frame in tags.getall(field.id3):
            # iTunes keeps its own data in comments with a description.
            if field.id3 == "COMM" and frame.desc:
                continue
            values = frame.genres if field.id3 == "TCON" else frame.text
            for value in [values] if isinstance(values, str) else values:
                yield field.name, value
    for frame in tags.getall("APIC"):
        yield Picture(frame.data, frame.mime, int(frame.type), frame.desc)


def _read_mp4(tags: Any) -> Iterator[_Item]:
    for field in FIELDS:
        values = tags.get(field.mp4, [])
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, bytes):
                value = value.decode("utf-8", "replace")
            elif isinstance(value, tuple):
                value = "/".join(str(number or "") for number in value)
            yield field.name, value
    for cover in tags.get("covr", []):
        yield Picture(bytes(cover), "image/png" if cover.imageformat == cover.FORMAT_PNG else "image/jpeg")


def _read_asf(tags: Any) -> Iterator[_Item]:
    for field in FIELDS:
        for value in tags.get(field.asf, []):
            yield field.name, value
    for packed in tags.get("WM/Picture", []):
        with contextlib.suppress(ValueError, struct.error):
            kind, size = struct.unpack_from("<BI", packed.value)
            start = len(packed.value) - size
            mime, description, _ = packed.value[5:start].decode("utf-16-le").split("\0")
            yield Picture(packed.value[start:], mime, kind, description)


def _read_ape(tags: Any) -> Iterator[_Item]:
    covers = {"cover art (front)": FRONT_COVER, "cover art (back)": FRONT_COVER + 1}
    for key, value in tags.items():
        if value.kind == 0:
            yield from ((key, text) for text in value)
        elif key.lower() in covers:
            yield Picture(value.value.partition(b"\0")[2], "", covers[key.lower()])


def _read_vorbis(comments: Iterable[tuple[str, str]]) -> Iterator[_Item]:
    from mutagen.flac import Picture as Block

    for key, value in comments:
        if key.lower() == "coverart":
            with contextlib.suppress(ValueError):
                yield Picture(base64.b64decode(value), "")
        elif key.lower() == "metadata_block_picture":
            # A broken block makes mutagen raise whatever its fields happen to hold.
            with contextlib.suppress(Exception):
                yield _from_block(Block(base64.b64decode(value)))
        else:
            yield key, value


def _from_block(block: Any) -> Picture:
    return Picture(block.data, block.mime, int(block.type), block.desc)


def _read_riff_info(path: pathlib.Path) -> Iterator[_Item]:
    names = {field.riff.encode(): field.name for field in FIELDS if field.riff}
    with path.open("rb") as file:
        for _, data in _info_lists(file):
            at = 4
            while at + 8 <= len(data):
                name, length = struct.unpack_from("<4sI", data, at)
                if name in names:
                    yield names[name], _decoded(data[at + 8 : at + 8 + length])
                at += 8 + length + length % 2


def _info_lists(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield place and data of each LIST INFO chunk of a WAV; the data ends early in a truncated file."""
    if not _is_riff_wave(file.read(12)):
        return
    at = 12
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        name, size = struct.unpack("<4sI", head)
        if name == b"LIST" and file.read(4) == b"INFO":
            yield at, b"INFO" + file.read(max(0, min(size, LARGEST_LIST) - 4))
        at += 8 + size + size % 2


def _is_riff_wave(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _read_with_ffmpeg(path: pathlib.Path) -> Iterator[_Item]:
    import av

    from .audio.source import DEMUXERS

    options = {"format_whitelist": DEMUXERS}
    with path.open("rb") as file, av.open(file, options=options, metadata_errors="replace") as container:
        for key, value in container.metadata.items():
            # FFmpeg adds the language, as in lyrics-eng.
            yield key.partition("-")[0], value


def _write_wave(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.wave import WAVE

    with path.open("rb") as file:
        riff = _is_riff_wave(file.read(12))
    # Neither RF64 nor a WAV that tags would carry beyond 4 GiB can be tagged by mutagen.
    added = sum(len(picture.data) for picture in tags.pictures) + 8 * MOST_TEXT
    if not riff or path.stat().st_size + added >= 1 << 32:
        return
    with path.open("r+b") as file:
        for at, _ in list(_info_lists(file)):
            file.seek(at)
            file.write(b"JUNK")
    wave: Any = WAVE(path)
    wave.tags = None
    wave.add_tags()
    _fill_id3(wave.tags, tags)
    wave.tags.save(path)


def _write_mp3(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.id3 import ID3

    target = ID3()
    _fill_id3(target, tags)
    # Old car radios and Windows read nothing newer than 2.3; its rule is to separate several values with a slash.
    target.update_to_v23()
    target.save(path, v2_version=3)


def _fill_id3(target: Any, tags: Tags) -> None:
    from mutagen import id3

    for field in FIELDS:
        values = list(tags.fields.get(field.name, ()))
        if not values:
            continue
        # ID3's name for an unknown language.
        more = {"lang": "XXX", "desc": ""} if field.id3 in ("COMM", "USLT") else {}
        text = "\n".join(values) if more else values
        target.add(getattr(id3, field.id3)(encoding=_id3_encoding(values), text=text, **more))
    for number, picture in enumerate(tags.pictures):
        # ID3 allows one picture a description; the spaces go away in reading.
        description = picture.description + " " * number
        encoding = _id3_encoding([description])
        target.add(
            id3.APIC(encoding=encoding, mime=picture.mime, type=picture.kind, desc=description, data=picture.data)
        )


def _id3_encoding(texts: Iterable[str]) -> int:
    # Many an old tag calls its local code page Latin-1; writing it back as such keeps it readable for its owner.
    try:
        "".join(texts).encode("latin-1")
    except UnicodeEncodeError:
        return 3
    return 0


def _write_mp4(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.mp4 import MP4, MP4Cover

    file: Any = MP4(path)
    file.tags = None
    file.add_tags()
    for field in FIELDS:
        values = tags.fields.get(field.name, ())
        # A number that is none has no place in these atoms.
        with contextlib.suppress(ValueError):
            if values:
                file.tags[field.mp4] = _mp4_value(field.mp4, values)
    kinds = {"image/jpeg": MP4Cover.FORMAT_JPEG, "image/png": MP4Cover.FORMAT_PNG}
    # All pictures are covers here, and players show the first.
    pictures = sorted(tags.pictures, key=lambda picture: picture.kind != FRONT_COVER)
    file.tags["covr"] = [MP4Cover(p.data, kinds[p.mime]) for p in pictures if p.mime in kinds]
    file.save()


def _mp4_value(atom: str, values: tuple[str, ...]) -> Any:
    if atom in ("trkn", "disk"):
        number, _, total = values[0].partition("/")
        return [(int(number), int(total or 0))]
    if atom == "tmpo":
        return [round(float(values[0]))]
    if atom == "cpil":
        return True
    return [value.encode() for value in values] if atom.startswith("----") else list(values)


def _write_flac(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.flac import FLAC

    file: Any = FLAC(path)
    if file.tags is None:
        file.add_tags()
    file.clear_pictures()
    for picture in tags.pictures:
        file.add_picture(_to_block(picture))
    file.tags[:] = _comments(tags)
    file.save()


def _write_ogg(path: pathlib.Path, tags: Tags) -> None:
    import mutagen
    from mutagen.oggopus import OggOpus
    from mutagen.oggvorbis import OggVorbis

    file: Any = mutagen.File(path, options=[OggVorbis, OggOpus])
    blocks = [base64.b64encode(_to_block(picture).write()).decode("ascii") for picture in tags.pictures]
    file.tags[:] = [*_comments(tags), *(("METADATA_BLOCK_PICTURE", block) for block in blocks)]
    file.save()


def _comments(tags: Tags) -> list[tuple[str, str]]:
    comments = []
    for name, values in tags.fields.items():
        for value in values:
            number, slash, total = value.partition("/") if name in TOTALS else (value, "", "")
            comments.append((name.upper(), number))
            if slash:
                comments.append((TOTALS[name].upper(), total))
    return comments


def _to_block(picture: Picture) -> Any:
    from mutagen.flac import Picture as Block

    block = Block()
    block.data, block.mime, block.type, block.desc = picture.data, picture.mime, picture.kind, picture.description
    return block


WRITERS: dict[str, Callable[[pathlib.Path, Tags], None]] = {
    ".wav": _write_wave,
    ".flac": _write_flac,
    ".ogg": _write_ogg,
    ".oga": _write_ogg,
    ".opus": _write_ogg,
    ".mp3": _write_mp3,
    ".m4a": _write_mp4,
    ".mp4": _write_mp4,
    ".mov": _write_mp4,
}
