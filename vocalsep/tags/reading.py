"""Read tags and cover art from any format (mutagen, and FFmpeg's libraries for what it does not know)."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import itertools
import pathlib
import struct
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from ..audio.container import AvioFile, open_container
from ..lyrics import format_lrc
from .broadcast import BEXT, IXML, Broadcast
from .fields import (
    ALIASES,
    FIELDS,
    FRONT_COVER,
    MOST_CHAPTERS,
    NAMES,
    SYNCED,
    Chapter,
    Item,
    Picture,
    Tags,
    clean_text,
    normalize,
)
from .riff import LARGEST_LIST, chunks, info_lists, read_chunk
from .sylt import from_sylt

Read = TypeVar("Read")
LONGEST_TITLE = 1000
# Further frames and atoms that are read, and written under other names.
MORE_FRAMES = {"GRP1": "grouping", "TMOO": "mood", "TDRL": "releasedate", "TORY": "originaldate", "WOAR": "website"}
MORE_ATOMS = {"desc": "description"}


def read_tags(path: str | pathlib.Path) -> Tags:
    """Read the tags of a file; damaged tags are left out, and nothing is raised.

    Parameters
    ----------
    path : str or pathlib.Path
        A file of any kind; it need not exist.

    Returns
    -------
    Tags
        Pictures of more than 16 MB and very long texts are left out, as some formats cannot hold them.
    """
    path = pathlib.Path(path)
    tags = Tags()
    for reader in (_read_with_mutagen, _read_riff_info, _read_with_ffmpeg):
        tags = normalize(_until_broken(reader(path)))
        if tags != Tags():
            break
    broadcast = next(_until_broken(_read_broadcast(path)), None)
    chapters = tuple(itertools.islice(_until_broken(_read_chapters(path)), MOST_CHAPTERS))
    return dataclasses.replace(tags, broadcast=broadcast, chapters=chapters)


def _until_broken(items: Iterator[Read]) -> Iterator[Read]:
    # Parsers raise many kinds of errors on damaged tags; items before the damage are kept.
    with contextlib.suppress(Exception):
        yield from items


def _read_with_mutagen(path: pathlib.Path) -> Iterator[Item]:
    import mutagen
    from mutagen.apev2 import APEv2
    from mutagen.asf import ASFTags
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4Tags

    file: Any = mutagen.File(path)
    if file is None:
        return
    for kind, reader in ((ID3, _read_id3), (MP4Tags, _read_mp4), (ASFTags, _read_asf), (APEv2, _read_ape)):
        if isinstance(file.tags, kind):
            yield from reader(file.tags)
            return
    for block in getattr(file, "pictures", []):
        yield _from_block(block)
    yield from _read_vorbis(file.tags or [])


def _read_id3(tags: Any) -> Iterator[Item]:
    for field in FIELDS:
        kind, _, owner = field.id3.partition(":")
        for frame in tags.getall(kind) if kind and not owner else []:
            # iTunes stores data of its own in comments with a description.
            if kind == "COMM" and frame.desc:
                if not frame.desc.lower().startswith(("itun", "id3v1")):
                    yield from ((f"comment:{frame.desc}", text) for text in frame.text)
                continue
            values = frame.genres if kind == "TCON" else frame.text
            for value in [values] if isinstance(values, str) else values:
                yield field.name, value
        if kind == "UFID":
            yield from ((field.name, f.data.decode("ascii")) for f in tags.getall(kind) if f.owner == owner)
    names = {field.id3.lower(): field.name for field in FIELDS}
    for frame in tags.getall("TXXX"):
        name = names.get(f"txxx:{frame.desc.lower()}", frame.desc)
        yield from ((name, text) for text in frame.text)
    if not any(frame.desc.lower() == SYNCED for frame in tags.getall("TXXX")):
        yield from ((SYNCED, format_lrc(lyrics)) for frame in tags.getall("SYLT") if (lyrics := from_sylt(frame)))
    for kind in ("TIPL", "IPLS", "TMCL"):
        for frame in tags.getall(kind):
            for role, person in frame.people:
                known = names.get(f"tipl:{role.lower()}")
                yield (known, person) if known else ("performer", f"{person} ({role})" if role else person)
    for kind, name in MORE_FRAMES.items():
        for frame in tags.getall(kind):
            yield from ((name, text) for text in ([frame.url] if kind[0] == "W" else frame.text))
    for frame in tags.getall("APIC"):
        yield Picture(frame.data, frame.mime, int(frame.type), frame.desc)


def _read_mp4(tags: Any) -> Iterator[Item]:
    names = {field.atom.lower(): field.name for field in FIELDS}
    for atom, values in tags.items():
        free = atom.split(":", 2)[2] if atom.count(":") > 1 and atom.startswith("----") else ""
        name = names.get(atom.lower(), free or MORE_ATOMS.get(atom, ""))
        for value in values if isinstance(values, list) and name else [values] if name else []:
            if isinstance(value, bytes):
                value = value.decode("utf-8", "replace")
            elif isinstance(value, tuple):
                value = "/".join(str(number or "") for number in value)
            yield name, value
    for cover in tags.get("covr", []):
        yield Picture(bytes(cover), "image/png" if cover.imageformat == cover.FORMAT_PNG else "image/jpeg")


def _read_asf(tags: Any) -> Iterator[Item]:
    names = {field.asf.lower(): field.name for field in FIELDS if field.asf}
    for key, value in tags:
        known = names.get(key.lower())
        if known or isinstance(value.value, str):
            yield known or key.removeprefix("WM/"), value
    for packed in tags.get("WM/Picture", []):
        with contextlib.suppress(ValueError, struct.error):
            kind, size = struct.unpack_from("<BI", packed.value)
            start = len(packed.value) - size
            mime, description, _ = packed.value[5:start].decode("utf-16-le").split("\0")
            yield Picture(packed.value[start:], mime, kind, description)


def _read_ape(tags: Any) -> Iterator[Item]:
    covers = {"cover art (front)": FRONT_COVER, "cover art (back)": FRONT_COVER + 1}
    for key, value in tags.items():
        if value.kind == 0:
            yield from ((key, text) for text in value)
        elif key.lower() in covers:
            yield Picture(value.value.partition(b"\0")[2], "", covers[key.lower()])


def _read_vorbis(comments: Iterable[tuple[str, str]]) -> Iterator[Item]:
    from mutagen.flac import Picture as Block

    for key, value in comments:
        if key.lower() == "coverart":
            with contextlib.suppress(ValueError):
                yield Picture(base64.b64decode(value), "")
        elif key.lower() == "metadata_block_picture":
            # mutagen raises errors of many kinds on a damaged block.
            with contextlib.suppress(Exception):
                yield _from_block(Block(base64.b64decode(value)))
        else:
            yield key, value


def _from_block(block: Any) -> Picture:
    return Picture(block.data, block.mime, int(block.type), block.desc)


def _read_riff_info(path: pathlib.Path) -> Iterator[Item]:
    names = {field.riff.encode(): field.name for field in FIELDS if field.riff}
    with path.open("rb") as file:
        for _, data in info_lists(file):
            offset = 4
            while offset + 8 <= len(data):
                name, length = struct.unpack_from("<4sI", data, offset)
                if name in names:
                    yield names[name], _decoded(data[offset + 8 : offset + 8 + length])
                offset += 8 + length + length % 2


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _read_with_ffmpeg(path: pathlib.Path) -> Iterator[Item]:
    with path.open("rb") as file, open_container(AvioFile(file)) as container:
        for key, value in container.metadata.items():
            # FFmpeg appends the language, as in lyrics-eng, and adds names of its own: unknown names are left out.
            name = key.partition("-")[0]
            if name.lower() in NAMES or name.lower() in ALIASES:
                yield name, value


def _read_chapters(path: pathlib.Path) -> Iterator[Chapter]:
    with path.open("rb") as file, open_container(AvioFile(file)) as container:
        for chapter in sorted(container.chapters(), key=lambda chapter: chapter["start"]):
            start, end = (float(chapter[name] * chapter["time_base"]) for name in ("start", "end"))
            if 0 <= start <= end:
                yield Chapter(start, end, clean_text(chapter["metadata"].get("title", ""))[:LONGEST_TITLE])


def _read_broadcast(path: pathlib.Path) -> Iterator[Broadcast]:
    data = {BEXT: b"", IXML: b""}
    with path.open("rb") as file:
        for name, offset, size in chunks(file):
            if name in data and size <= LARGEST_LIST:
                data[name] = read_chunk(file, offset, size)
    broadcast = Broadcast.of(data[BEXT], data[IXML])
    if broadcast:
        yield broadcast
