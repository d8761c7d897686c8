"""HTTP range requests for a file that may still be growing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from .error_messages import Code, Problem

if TYPE_CHECKING:
    from starlette.responses import Response

CHUNK_BYTES = 1 << 18


def range_response(
    header: bytes,
    file: BinaryIO,
    available: int,
    total: int,
    range_header: str | None,
    media_type: str,
    complete: bool,
    more_headers: dict[str, str] | None = None,
) -> Response:
    """Return the response to a request for a file or a range of it.

    Parameters
    ----------
    header : bytes
        What comes before the bytes of `file`.
    file : binary file
        Already open, so that it can be sent even if it is deleted meanwhile; closed after sending.
    available : int
        Bytes that can be sent now, `header` included.
    total : int
        Bytes of the complete file, `header` included.
    range_header : str or None
        The request's ``Range``, of a single range.
    media_type : str
    complete : bool
        Whether all bytes are available; if not, only requests for a range are answered.
    more_headers : dict of str, optional
        Further headers.
    """
    from starlette.responses import JSONResponse, StreamingResponse

    headers = {"accept-ranges": "bytes", "cache-control": "no-store", **(more_headers or {})}
    span = _parse_range(range_header, available)
    if range_header is None:
        if not complete:
            return JSONResponse(Problem(Code.STEM_GROWING).answer, Code.STEM_GROWING.status, headers)
        headers["content-length"] = str(total)
        return StreamingResponse(_read_range(header, file, 0, available), 200, headers, media_type)
    if span is None:
        headers["content-range"] = f"bytes */{total}"
        return JSONResponse(Problem(Code.RANGE_MISSING).answer, Code.RANGE_MISSING.status, headers)
    first, last = span
    headers |= {"content-range": f"bytes {first}-{last}/{total}", "content-length": str(last + 1 - first)}
    return StreamingResponse(_read_range(header, file, first, last + 1), 206, headers, media_type)


def file_response(
    file: BinaryIO, range_header: str | None, media_type: str, more_headers: dict[str, str] | None = None
) -> Response:
    """Return the response to a request for a complete file or a range of it, see `range_response`."""
    size = os.fstat(file.fileno()).st_size
    return range_response(b"", file, size, size, range_header, media_type, True, more_headers)


def first_byte(range_header: str | None) -> int:
    """Return the first byte that a request asks for; 0 where it does not say."""
    match = re.match(r"\s*bytes\s*=\s*(\d{1,18})\s*-", range_header or "")
    return int(match[1]) if match else 0


def _parse_range(range_header: str | None, available: int) -> tuple[int, int] | None:
    """Return the first and last byte of a range that can be sent, or None."""
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", (range_header or "").replace(" ", ""))
    if not match or not (match[1] or match[2]) or available == 0:
        return None
    if not match[1]:
        count = min(int(match[2]), available)
        return (available - count, available - 1) if count else None
    first, last = int(match[1]), min(int(match[2] or available - 1), available - 1)
    return (first, last) if first <= last else None


def _read_range(header: bytes, file: BinaryIO, first: int, stop: int) -> Iterator[bytes]:
    with file:
        if first < len(header):
            yield header[first : min(stop, len(header))]
        offset = max(first - len(header), 0)
        end = stop - len(header)
        file.seek(offset)
        while offset < end and (data := file.read(min(CHUNK_BYTES, end - offset))):
            offset += len(data)
            yield data
