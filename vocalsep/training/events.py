"""Scalars for TensorBoard, written as they come.

tensorboardX's own `SummaryWriter` writes in a thread, whose end on a full disk leaves the program waiting for ever.
"""

from __future__ import annotations

import contextlib
import pathlib
import socket
import struct
import time
from collections.abc import Iterator, Mapping

from ..errors import OutputError
from ..system.atomic_files import os_error_text

# Fields of TensorBoard's protocol buffer Event (event.proto) that hold bytes, as tags of the wire format.
FILE_VERSION, SUMMARY, SESSION_LOG = (number << 3 | 2 for number in (3, 5, 7))
VERSION = b"brain.Event:2"
# The message SessionLog with its status (field 1) START (1).
SESSION_START = bytes((1 << 3, 1))


class EventLog:
    """An event file in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Created if it is missing.
    step : int
        TensorBoard hides what earlier files hold of this and later steps.

    Raises
    ------
    OutputError
        The file cannot be written, now or later.
    """

    def __init__(self, folder: pathlib.Path, step: int):
        from tensorboardX import RecordWriter

        self.folder = folder
        with self._output_errors():
            folder.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
            self._writer = RecordWriter(str(folder / name))
            self._writer.write(_event(0, FILE_VERSION, VERSION))
            if step:
                self._writer.write(_event(step, SESSION_LOG, SESSION_START))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add values of a step; raises OutputError."""
        from tensorboardX.summary import scalar

        with self._output_errors():
            for name, value in values.items():
                self._writer.write(_event(step, SUMMARY, scalar(name, float(value)).SerializeToString()))
            self._writer.flush()

    def close(self) -> None:
        """Close the file; raises OutputError."""
        with self._output_errors():
            self._writer.close()

    @contextlib.contextmanager
    def _output_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"cannot be written ({os_error_text(error)})", path=self.folder) from None


def _event(step: int, tag: int, content: bytes) -> bytes:
    """Return a serialised Event: its wall time (field 1), its step (field 2), and one field of bytes."""
    wall_time = bytes((1 << 3 | 1,)) + struct.pack("<d", time.time())
    return wall_time + bytes((2 << 3,)) + _varint(step) + bytes((tag,)) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Return a whole number as protocol buffers encode it: 7 bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))
