"""Answer with a file, or a part of one, that is still growing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from starlette.responses import Response

PIECE = 1 << 18


def answer(
    head: bytes, file: BinaryIO, there: int, total: int, asked: str | None, media_type: str, whole: bool
) -> Response:
    """Return the response to a request for bytes.

    Parameters
    ----------
    head : bytes
        What comes before the file's own bytes.
    file : binary file
        Open already: what is promised here can be read even if the file is deleted before it is sent. It is closed.
    there : int
        How many bytes there are by now, `head` included.
    total : int
        How many there will be.
    asked : str or None
        The request's ``Range``: one range is understood.
    media_type : str
    whole : bool
        Whether all is there; otherwise only ranges are answered.
    """
    from starlette.responses import JSONResponse, StreamingResponse

    headers = {"accept-ranges": "bytes", "cache-control": "no-store"}
    span = _span(asked, there)
    if asked is None:
        if not whole:
            detail = "this stem is still being made; ask for a range of it"
            return JSONResponse({"detail": detail}, 409, headers)
        headers["content-length"] = str(total)
        return StreamingResponse(_parts(head, file, 0, there), 200, headers, media_type)
    if span is None:
        detail = "these bytes are not there"
        return JSONResponse({"detail": detail}, 416, {**headers, "content-range": f"bytes */{total}"})
    first, last = span
    headers |= {"content-range": f"bytes {first}-{last}/{total}", "content-length": str(last + 1 - first)}
    return StreamingResponse(_parts(head, file, first, last + 1), 206, headers, media_type)


def _span(asked: str | None, there: int) -> tuple[int, int] | None:
    """Return first and last byte of a range that can be answered, or None."""
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", (asked or "").replace(" ", ""))
    if not found or not (found[1] or found[2]) or there == 0:
        return None
    if not found[1]:
        count = min(int(found[2]), there)
        return (there - count, there - 1) if count else None
    first, last = int(found[1]), min(int(found[2] or there - 1), there - 1)
    return (first, last) if first <= last else None


def _parts(head: bytes, file: BinaryIO, first: int, stop: int) -> Iterator[bytes]:
    with file:
        if first < len(head):
            yield head[first : min(stop, len(head))]
        at = max(first - len(head), 0)
        end = stop - len(head)
        file.seek(at)
        while at < end and (data := file.read(min(PIECE, end - at))):
            at += len(data)
            yield data
