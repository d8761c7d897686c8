"""Write tags and cover art to any format that can hold them (mutagen)."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import errno
import fractions
import os
import pathlib
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..audio.container import AvioFile, open_container
from ..audio.layouts import MASK_COMMENT
from ..errors import DiskFullError, OutputError
from ..lyrics import parse_lrc
from .broadcast import BEXT, IXML, Broadcast
from .fields import (
    FIELDS,
    FREE_FORM_ATOM,
    FRONT_COVER,
    MOST_CHAPTERS,
    MOST_TEXT,
    SYNCED,
    TOTALS,
    Chapter,
    Picture,
    Tags,
    normalize,
)
from .riff import append_chunks, chunks, is_riff_wave, read_chunk
from .sylt import sylt_entries

# Frames that ID3v2.3 does not have.
NEW_FRAMES = ("TSOT", "TSOP", "TSOA", "TSST")
# Byte offset of a chapter that has times only.
NO_OFFSET = 0xFFFFFFFF
MOST_IN_CONTENTS = 255
LONGEST_INFO = 60_000


def write_tags(path: str | pathlib.Path, tags: Tags) -> None:
    """Replace the tags of a finished file; a format that cannot hold tags is left as it is.

    Parameters
    ----------
    path : str or pathlib.Path
        The suffix determines the format.
    tags : Tags
        Fields that the format cannot hold are left out.

    Raises
    ------
    OutputError
        The tags cannot be written; the file may be incomplete.
    """
    path = pathlib.Path(path)
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        return
    items = (
        (name, value) for group in (tags.fields, tags.custom) for name, values in group.items() for value in values
    )
    normalized = dataclasses.replace(
        normalize((*items, *tags.pictures)), chapters=tags.chapters[:MOST_CHAPTERS], broadcast=tags.broadcast
    )
    try:
        writer(path, normalized)
    except Exception as error:
        # mutagen raises errors of many kinds besides its own.
        cause = next((e for e in (error, *error.args) if isinstance(e, OSError)), None)
        reason = (cause and cause.strerror) or str(error) or type(error).__name__
        kind = DiskFullError if isinstance(cause, OSError) and cause.errno == errno.ENOSPC else OutputError
        raise kind(
            f"cannot write the tags of a {path.suffix} file in {path.parent}: {' '.join(reason.lower().split())}",
            hint="free some space there, or choose another folder or format",
        ) from error


def _write_wave(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.wave import WAVE

    with path.open("rb") as file:
        riff = is_riff_wave(file.read(12))
    # mutagen cannot tag an RF64, nor a WAV that would exceed 4 GiB.
    added = sum(len(picture.data) for picture in tags.pictures) + 8 * MOST_TEXT
    if not riff or path.stat().st_size + added >= 1 << 32:
        return
    with path.open("r+b") as file:
        for name, offset, _ in list(chunks(file)):
            if name in (BEXT, IXML) or (name == b"LIST" and read_chunk(file, offset, 4) == b"INFO"):
                file.seek(offset)
                file.write(b"JUNK")
    broadcast = tags.broadcast or Broadcast()
    added_chunks = ((b"LIST", _info(tags)), (BEXT, broadcast.bext), (IXML, broadcast.ixml))
    append_chunks(path, [(name, data) for name, data in added_chunks if data])
    wave: Any = WAVE(path)
    wave.tags = None
    wave.add_tags()
    _fill_id3(wave.tags, tags)
    wave.tags.save(path)


def _info(tags: Tags) -> bytes:
    """Return the data of a LIST INFO chunk, for programs that do not read ID3 in WAVs; empty without fields."""
    entries = b""
    for field in FIELDS:
        if field.riff and tags.fields.get(field.name):
            text = "; ".join(tags.fields[field.name]).encode()[:LONGEST_INFO].decode("utf-8", "ignore").encode() + b"\0"
            entries += field.riff.encode() + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
    return b"INFO" + entries if entries else b""


def _write_mp3(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.id3 import ID3

    target = ID3()
    _fill_id3(target, tags, old=True)
    # Old car radios and Windows read nothing newer than ID3v2.3, which separates several values with a slash.
    target.update_to_v23()
    target.save(path, v2_version=3)


def _fill_id3(target: Any, tags: Tags, old: bool = False) -> None:
    """Fill an ID3 tag; `old` is version 2.3, which lacks some frames."""
    from mutagen import id3

    people = []
    for field in FIELDS:
        values = list(tags.fields.get(field.name, ()))
        kind, _, name = field.id3.partition(":")
        if kind in ("TDRC", "TDOR"):
            values = [date for value in values if (date := _id3_date(value))]
        if not values:
            continue
        if kind == "TIPL":
            people += [[name, value] for value in values]
        elif kind == "UFID":
            target.add(id3.UFID(owner=name, data=values[0].encode("ascii", "replace")[:64]))
        elif kind == "TXXX" or (old and kind in NEW_FRAMES):
            _add_custom(target, name or field.name.upper(), values)
        else:
            # ID3's name for an unknown language.
            more = {"lang": "XXX", "desc": ""} if kind in ("COMM", "USLT") else {}
            text = "\n".join(values) if more else values
            target.add(getattr(id3, kind)(encoding=_id3_encoding(values), text=text, **more))
    if people:
        target.add(id3.TIPL(encoding=_id3_encoding(person for _, person in people), people=people))
    for custom_name, custom in tags.custom.items():
        _add_custom(target, custom_name, list(custom))
    for text in tags.fields.get(SYNCED, ())[:1]:
        _add_sylt(target, text)
    for number, picture in enumerate(tags.pictures):
        # ID3 allows one picture a description; the spaces go away in reading.
        description = picture.description + " " * number
        encoding = _id3_encoding([description])
        target.add(
            id3.APIC(encoding=encoding, mime=picture.mime, type=picture.kind, desc=description, data=picture.data)
        )
    _add_chapters(target, tags.chapters)


def _add_custom(target: Any, name: str, values: list[str]) -> None:
    from mutagen import id3

    kind, _, description = name.partition(":")
    encoding = _id3_encoding([name, *values])
    if kind.lower() == "comment" and description:
        target.add(id3.COMM(encoding=encoding, lang="XXX", desc=description, text="\n".join(values)))
    else:
        target.add(id3.TXXX(encoding=encoding, desc=name, text=values))


def _add_sylt(target: Any, text: str) -> None:
    from mutagen import id3

    entries = sylt_entries(parse_lrc(text))
    if entries:
        encoding = _id3_encoding(words for words, _ in entries)
        # Format 2 counts milliseconds, and type 1 is lyrics.
        target.add(id3.SYLT(encoding=encoding, lang="XXX", format=2, type=1, desc="", text=entries))


def _add_chapters(target: Any, chapters: Sequence[Chapter]) -> None:
    from mutagen import id3

    if not chapters:
        return
    names = [f"chp{number}" for number in range(len(chapters))]
    for name, chapter in zip(names, chapters, strict=True):
        title = [id3.TIT2(encoding=_id3_encoding([chapter.title]), text=[chapter.title])] if chapter.title else []
        start, end = (min(round(seconds * 1000), NO_OFFSET - 1) for seconds in (chapter.start, chapter.end))
        target.add(id3.CHAP(name, start, end, NO_OFFSET, NO_OFFSET, sub_frames=title))
    flags = id3.CTOCFlags.TOP_LEVEL | id3.CTOCFlags.ORDERED
    target.add(id3.CTOC("toc", flags, names[:MOST_IN_CONTENTS], sub_frames=[]))


def _id3_date(text: str) -> str:
    """Return the first ISO date or year in `text`: mutagen misreads every other spelling."""
    match = re.search(r"(?<!\d)\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d)?)?)?)?", text, re.ASCII)
    return match[0] if match else ""


def _id3_encoding(texts: Iterable[str]) -> int:
    # Many old tags declare their local code page as Latin-1: kept as Latin-1 they stay readable for their owner.
    try:
        "".join(texts).encode("latin-1")
    except UnicodeEncodeError:
        return 3
    return 0


def _write_mp4(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.mp4 import MP4, MP4Cover

    # Other MP4s may hold several streams.
    if tags.chapters and path.suffix.lower() == ".m4a":
        _remux_with_chapters(path, tags.chapters)
    file: Any = MP4(path)
    file.tags = None
    file.add_tags()
    for field in FIELDS:
        values = tags.fields.get(field.name, ())
        # These atoms hold valid numbers only.
        with contextlib.suppress(ValueError, OverflowError):
            if values:
                file.tags[field.atom] = _mp4_value(field.atom, values)
    for name, values in tags.custom.items():
        # Names of atoms are Latin-1.
        with contextlib.suppress(UnicodeEncodeError):
            name.encode("latin-1")
            file.tags[FREE_FORM_ATOM + name] = [value.encode() for value in values]
    kinds = {"image/jpeg": MP4Cover.FORMAT_JPEG, "image/png": MP4Cover.FORMAT_PNG}
    # MP4 has no picture types, and players show the first.
    pictures = sorted(tags.pictures, key=lambda picture: picture.kind != FRONT_COVER)
    covers = [MP4Cover(p.data, kinds[p.mime]) for p in pictures if p.mime in kinds]
    if covers:
        file.tags["covr"] = covers
    file.save()


def _remux_with_chapters(path: pathlib.Path, chapters: Sequence[Chapter]) -> None:
    """Add chapters both as a chapter list and as a text track: copy all packets into a new file."""
    import av

    remuxed = path.with_name(f"{path.stem}-chapters{path.suffix}")
    try:
        with (
            path.open("rb") as old,
            open_container(AvioFile(old)) as container,
            remuxed.open("wb") as new,
        ):
            output = AvioFile(new)
            options = {"fflags": "+bitexact"}
            with av.open(output, "w", format="ipod", options=options) as out:
                out.set_chapters([_av_chapter(number, chapter) for number, chapter in enumerate(chapters)])
                copies = {stream: out.add_stream_from_template(stream) for stream in container.streams.audio}
                for packet in container.demux(*copies):
                    if packet.dts is not None:
                        packet.stream = copies[packet.stream]
                        out.mux(packet)
            if output.error is not None:
                raise output.error
        os.replace(remuxed, path)
    finally:
        remuxed.unlink(missing_ok=True)


def _av_chapter(number: int, chapter: Chapter) -> Any:
    return {
        "id": number,
        "start": round(chapter.start * 1000),
        "end": round(chapter.end * 1000),
        "time_base": fractions.Fraction(1, 1000),
        "metadata": {"title": chapter.title},
    }


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
    # The channel mask is not a tag of the song.
    kept = [(name, value) for name, value in file.tags if name.upper() == MASK_COMMENT]
    file.tags[:] = [*kept, *_comments(tags)]
    file.save()


def _write_ogg(path: pathlib.Path, tags: Tags) -> None:
    import mutagen

    file: Any = mutagen.File(path)
    if file is None:
        raise ValueError("it is not an Ogg file")
    blocks = [base64.b64encode(_to_block(picture).write()).decode("ascii") for picture in tags.pictures]
    file.tags[:] = [*_comments(tags), *(("METADATA_BLOCK_PICTURE", block) for block in blocks)]
    file.save()


def _comments(tags: Tags) -> list[tuple[str, str]]:
    comments = []
    for name, values in tags.fields.items():
        for value in values:
            count, slash, total = value.partition("/") if name in TOTALS else (value, "", "")
            comments.append((name.upper(), count))
            if slash:
                comments.append((TOTALS[name].upper(), total))
    for name, values in tags.custom.items():
        if all(" " <= character <= "}" for character in name):
            comments += [(name.upper(), value) for value in values]
    for number, chapter in enumerate(tags.chapters, 1):
        minutes, milliseconds = divmod(round(chapter.start * 1000), 60_000)
        time = f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
        comments += [(f"CHAPTER{number:03}", time), (f"CHAPTER{number:03}NAME", chapter.title)]
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
