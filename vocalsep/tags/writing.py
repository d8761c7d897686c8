"""Write tags and cover art to any format that can hold them (mutagen)."""

from __future__ import annotations

import base64
import contextlib
import pathlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from ..audio.layouts import MASK_COMMENT
from ..errors import OutputError
from .fields import FIELDS, FRONT_COVER, MOST_TEXT, TOTALS, Picture, Tags, tidy
from .riff import info_lists, is_riff_wave


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
        writer(path, tidy((*items, *tags.pictures)))
    except Exception as error:
        # Besides its own errors, mutagen lets through whatever its parsers stumble over.
        cause = next((e for e in (error, *error.args) if isinstance(e, OSError)), None)
        reason = (cause and cause.strerror) or str(error) or type(error).__name__
        raise OutputError(
            f"cannot write the tags of a {path.suffix} file in {path.parent}: {' '.join(reason.lower().split())}; "
            "free some space there, or choose another folder or format"
        ) from error


def _write_wave(path: pathlib.Path, tags: Tags) -> None:
    from mutagen.wave import WAVE

    with path.open("rb") as file:
        riff = is_riff_wave(file.read(12))
    # Neither RF64 nor a WAV that tags would carry beyond 4 GiB can be tagged by mutagen.
    added = sum(len(picture.data) for picture in tags.pictures) + 8 * MOST_TEXT
    if not riff or path.stat().st_size + added >= 1 << 32:
        return
    with path.open("r+b") as file:
        for at, _ in list(info_lists(file)):
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
        if field.name == "date":
            values = [date for value in values if (date := _id3_date(value))]
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


def _id3_date(text: str) -> str:
    """Return the first ISO date or year in `text`: mutagen misreads every other spelling."""
    found = re.search(r"(?<!\d)\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d)?)?)?)?", text, re.ASCII)
    return found[0] if found else ""


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
        with contextlib.suppress(ValueError, OverflowError):
            if values:
                file.tags[field.mp4] = _mp4_value(field.mp4, values)
    kinds = {"image/jpeg": MP4Cover.FORMAT_JPEG, "image/png": MP4Cover.FORMAT_PNG}
    # All pictures are covers here, and players show the first.
    pictures = sorted(tags.pictures, key=lambda picture: picture.kind != FRONT_COVER)
    covers = [MP4Cover(p.data, kinds[p.mime]) for p in pictures if p.mime in kinds]
    if covers:
        file.tags["covr"] = covers
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
    # What the channels are for is no tag.
    kept = [(name, value) for name, value in file.tags if name.upper() == MASK_COMMENT]
    file.tags[:] = [*kept, *_comments(tags)]
    file.save()


def _write_ogg(path: pathlib.Path, tags: Tags) -> None:
    import mutagen

    file: Any = mutagen.File(path)
    if file is None:
        raise ValueError("it is no Ogg file")
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
