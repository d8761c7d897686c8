"""Tags and cover art of songs, from any format to any other (mutagen)."""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .errors import OutputError

LARGEST_PICTURE = 16_000_000
LARGEST_LIST = 1_000_000
FRONT_COVER = 3


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
    _Field("comment", "COMM", "\xa9cmt", "Description", "ICMT"),
    _Field("lyrics", "USLT", "\xa9lyr", "WM/Lyrics"),
)
NAMES = {field.name for field in FIELDS}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A cover picture: its bytes, its type such as ``image/png``, and ID3's number for what it shows."""

    data: bytes
    mime: str
    kind: int = FRONT_COVER
    description: str = ""


@dataclasses.dataclass(frozen=True)
class Tags:
    """Tags of a song under the names of Vorbis comments in lower case, each with its values, and its pictures."""

    fields: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()

    def marked(self, mark: str, fallback_title: str) -> Tags:
        """Return the same tags with ``(mark)`` behind the title; a song without a title gets `fallback_title`."""
        title = (self.fields.get("title") or (fallback_title,))[0]
        return dataclasses.replace(self, fields={**self.fields, "title": (f"{title} ({mark})",)})


def read_tags(path: pathlib.Path) -> Tags:
    """Read what tags can be read; broken ones count as none, and nothing is raised."""
    import mutagen

    # mutagen's parsers raise many kinds of errors on damaged tags, and no tag is worth losing a song.
    with contextlib.suppress(Exception):
        file = mutagen.File(path)
        if file is not None and file.tags is not None:
            return _cleaned(*_read(file))
    for fallback in (_read_riff_info, _read_container):
        with contextlib.suppress(Exception):
            fields = fallback(path)
            if fields:
                return _cleaned(fields, [])
    return Tags()


def write_tags(path: pathlib.Path, tags: Tags) -> None:
    """Replace the tags of a finished file; a format that cannot hold tags is left as it is.

    Parameters
    ----------
    path : pathlib.Path
        Its suffix tells the format.
    tags : Tags

    Raises
    ------
    OutputError
        The tags cannot be written.
    """
    import mutagen

    writer = {
        ".wav": _write_wave,
        ".mp3": _write_mp3,
        ".m4a": _write_mp4,
        ".flac": _write_flac,
        ".ogg": _write_ogg,
        ".opus": _write_ogg,
    }.get(path.suffix)
    if writer is None:
        return
    try:
        writer(path, tags)
    except (mutagen.MutagenError, OSError, ValueError) as error:
        raise OutputError(f"cannot write tags to {path.parent}: {error}") from None


def _cleaned(fields: Mapping[str, Iterable[Any]], pictures: Iterable[Picture]) -> Tags:
    texts = {
        name: tuple(text for value in values if (text := str(value).replace("\0", "").strip()))
        for name, values in fields.items()
        if name in NAMES
    }
    kept = tuple(p for p in pictures if 0 < len(p.data) <= LARGEST_PICTURE)
    return Tags({name: values for name, values in texts.items() if values}, kept)


def _read(file: Any) -> tuple[dict[str, list[Any]], list[Picture]]:
    from mutagen.apev2 import APEv2
    from mutagen.asf import ASFTags
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4Tags

    if isinstance(file.tags, ID3):
        return _read_id3(file.tags)
    if isinstance(file.tags, MP4Tags):
        return _read_mp4(file.tags)
    if isinstance(file.tags, ASFTags):
        return {field.name: list(file.tags[field.asf]) for field in FIELDS if field.asf in file.tags}, []
    if isinstance(file.tags, APEv2):
        names = {"track": "tracknumber", "disc": "discnumber", "year": "date", "album artist": "albumartist"}
        texts = {key: value for key, value in file.tags.items() if value.kind == 0}
        return {names.get(key.lower(), key.lower()): list(value) for key, value in texts.items()}, []
    return _read_vorbis(file)


def _read_id3(tags: Any) -> tuple[dict[str, list[Any]], list[Picture]]:
    fields: dict[str, list[Any]] = {}
    for field in FIELDS:
        for frame in tags.getall(field.id3):
            # iTunes keeps its own data in comments with a description.
            if field.id3 == "COMM" and frame.desc:
                continue
            values = frame.genres if field.id3 == "TCON" else frame.text
            fields.setdefault(field.name, []).extend([values] if isinstance(values, str) else values)
    return fields, [Picture(f.data, f.mime, int(f.type), f.desc) for f in tags.getall("APIC")]


def _read_mp4(tags: Any) -> tuple[dict[str, list[Any]], list[Picture]]:
    fields: dict[str, list[Any]] = {}
    for field in FIELDS:
        for value in tags.get(field.mp4, []):
            if isinstance(value, bytes):
                value = value.decode("utf-8", "replace")
            elif isinstance(value, tuple):
                value = "/".join(str(number) for number in value if number)
            fields.setdefault(field.name, []).append(value)
    mime = {13: "image/jpeg", 14: "image/png"}
    covers = [Picture(bytes(c), mime[int(c.imageformat)]) for c in tags.get("covr", []) if int(c.imageformat) in mime]
    return fields, covers


def _read_vorbis(file: Any) -> tuple[dict[str, list[Any]], list[Picture]]:
    from mutagen.flac import Picture as Block
    from mutagen.flac import error as FlacError

    fields: dict[str, list[Any]] = {}
    for key, value in file.tags:
        fields.setdefault(key.lower(), []).append(value)
    fields.setdefault("comment", fields.pop("description", []))
    blocks = list(getattr(file, "pictures", []))
    for text in fields.pop("metadata_block_picture", []):
        with contextlib.suppress(binascii.Error, FlacError, ValueError):
            blocks.append(Block(base64.b64decode(text)))
    return fields, [Picture(b.data, b.mime, int(b.type), b.desc) for b in blocks]


def _read_riff_info(path: pathlib.Path) -> dict[str, list[Any]]:
    """Read the LIST INFO chunk of a WAV."""
    fields: dict[str, list[Any]] = {}
    names = {field.riff: field.name for field in FIELDS if field.riff}
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
            return fields
        for name, size in _riff_chunks(file):
            if name != b"LIST" or size > LARGEST_LIST:
                continue
            data = file.read(size)
            at = 4 if data[:4] == b"INFO" else len(data)
            while at + 8 <= len(data):
                length = int.from_bytes(data[at + 4 : at + 8], "little")
                key = names.get(data[at : at + 4].decode("latin-1"))
                text = data[at + 8 : at + 8 + length].rstrip(b"\0")
                if key:
                    fields.setdefault(key, []).append(_decoded(text))
                at += 8 + length + length % 2
    return fields


def _riff_chunks(file: Any) -> Iterator[tuple[bytes, int]]:
    """Yield name and size of each chunk, with the file standing at its data."""
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        start = file.tell()
        yield head[:4], size
        file.seek(start + size + size % 2)


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _read_container(path: pathlib.Path) -> dict[str, list[Any]]:
    """Read what FFmpeg knows of a container that mutagen does not."""
    import av

    aliases = {"album_artist": "albumartist", "track": "tracknumber", "disc": "discnumber"}
    with path.open("rb") as file, av.open(file, metadata_errors="replace") as container:
        found = {key.lower(): [value] for key, value in container.metadata.items()}
    return {aliases.get(key, key): value for key, value in found.items()}


def _id3(target: Any, tags: Tags) -> None:
    from mutagen import id3

    target.clear()
    for field in FIELDS:
        values = list(tags.fields.get(field.name, ()))
        if not values:
            continue
        if field.id3 in ("COMM", "USLT"):
            frame = getattr(id3, field.id3)(encoding=3, lang="und", desc="", text="\n".join(values))
        else:
            frame = getattr(id3, field.id3)(encoding=3, text=values)
        target.add(frame)
    for number, picture in enumerate(tags.pictures):
        # ID3 allows one picture a description.
        description = picture.description or (str(number) if number else "")
        target.add(id3.APIC(encoding=3, mime=picture.mime, type=picture.kind, desc=description, data=picture.data))


def _write_wave(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.wave import WAVE

    with path.open("rb") as head:
        if head.read(4) != b"RIFF":
            return
    file: Any = WAVE(path)
    if file.tags is None:
        file.add_tags()
    _id3(file.tags, tags)
    file.save()


def _write_mp3(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.id3 import ID3

    target = ID3()
    _id3(target, tags)
    # Version 2.3 is what every player reads; it separates several values with a slash.
    target.update_to_v23()
    target.save(path, v2_version=3)


def _write_mp4(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.mp4 import MP4, MP4Cover

    file: Any = MP4(path)
    if file.tags is None:
        file.add_tags()
    file.tags.clear()
    for field in FIELDS:
        values = list(tags.fields.get(field.name, ()))
        if not values:
            continue
        if field.mp4 in ("trkn", "disk"):
            file.tags[field.mp4] = [_pair(values[0])]
        elif field.mp4 == "tmpo":
            with contextlib.suppress(ValueError):
                file.tags[field.mp4] = [round(float(values[0]))]
        elif field.mp4.startswith("----"):
            file.tags[field.mp4] = [value.encode() for value in values]
        else:
            file.tags[field.mp4] = values
    kinds = {"image/jpeg": MP4Cover.FORMAT_JPEG, "image/png": MP4Cover.FORMAT_PNG}
    covers = [MP4Cover(p.data, kinds[p.mime]) for p in tags.pictures if p.mime in kinds]
    if covers:
        file.tags["covr"] = covers
    file.save()


def _pair(text: str) -> tuple[int, int]:
    """Turn ``3`` or ``3/12`` into the numbers of a track and of all tracks, 0 where there is none."""
    numbers = [int(part) if part.strip().isdecimal() and len(part) < 5 else 0 for part in text.split("/")]
    return numbers[0], numbers[1] if len(numbers) > 1 else 0


def _write_flac(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.flac import FLAC

    file: Any = FLAC(path)
    file.clear_pictures()
    for picture in tags.pictures:
        file.add_picture(_block(picture))
    _save_comments(file, tags)


def _write_ogg(path: pathlib.Path, tags: Tags) -> None:
    import mutagen

    file = mutagen.File(path)
    pictures = [base64.b64encode(_block(picture).write()).decode("ascii") for picture in tags.pictures]
    _save_comments(file, tags, {"metadata_block_picture": pictures} if pictures else {})


def _save_comments(file: Any, tags: Tags, more: Mapping[str, list[str]] | None = None) -> None:
    if file.tags is None:
        file.add_tags()
    file.tags.clear()
    for name, values in {**tags.fields, **(more or {})}.items():
        file.tags[name] = list(values)
    file.save()


def _block(picture: Picture) -> Any:
    from mutagen.flac import Picture as Block

    block = Block()
    block.data, block.mime, block.type, block.desc = picture.data, picture.mime, picture.kind, picture.description
    return block
