"""A range of bytes of a file, read like a file of its own."""

from __future__ import annotations

import dataclasses
import errno
import os
from typing import BinaryIO


@dataclasses.dataclass(frozen=True)
class ByteRange:
    """A range of bytes of a file that holds one whole audio file.

    Parameters
    ----------
    start, stop : int
        Offsets in bytes.
    patches : tuple of (int, bytes)
        Offsets in the whole file, and the bytes to read there instead of its own: corrected sizes in headers.
    header_samples : int
        Samples that its header gives, where the file has another number of them; else 0.
    """

    start: int
    stop: int
    patches: tuple[tuple[int, bytes], ...] = ()
    header_samples: int = 0


class ByteRangeFile:
    """A file object that reads one range of bytes of an open file.

    Parameters
    ----------
    file : binary file
        The whole file.
    byte_range : ByteRange
    """

    def __init__(self, file: BinaryIO, byte_range: ByteRange):
        self.file = file
        self.byte_range = byte_range
        self.name = file.name
        self.position = 0

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, or all that are left."""
        offset_in_file = self.byte_range.start + self.position
        left = max(0, self.byte_range.stop - offset_in_file)
        if not left:
            return b""
        self.file.seek(offset_in_file)
        data = self.file.read(left if size < 0 else min(size, left))
        for patch_start, patch in self.byte_range.patches:
            begin, end = max(patch_start, offset_in_file), min(patch_start + len(patch), offset_in_file + len(data))
            if begin < end:
                patched = patch[begin - patch_start : end - patch_start]
                data = data[: begin - offset_in_file] + patched + data[end - offset_in_file :]
        self.position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it; raise ValueError for a negative one."""
        size = self.byte_range.stop - self.byte_range.start
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: size}[whence]
        if base + offset < 0:
            raise ValueError("negative position")
        self.position = base + offset
        return self.position

    def tell(self) -> int:
        """Return the position."""
        return self.position

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return False."""
        return False

    def write(self, data: bytes, /) -> int:
        """Raise OSError: the range is read-only."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def close(self) -> None:
        """Close the whole file."""
        self.file.close()
