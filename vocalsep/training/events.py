"""Scalars for TensorBoard, written when they come.

tensorboardX's own `SummaryWriter` writes in a thread, whose end on a full disk leaves the program waiting for ever.
"""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Iterator, Mapping

from ..errors import OutputError
from ..system.atomic_files import reason


class Events:
    """An event file in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is missing.
    step : int
        What earlier files hold of this and later steps is hidden.

    Raises
    ------
    OutputError
        It cannot be written, now or later.
    """

    def __init__(self, folder: pathlib.Path, step: int):
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        self.folder = folder
        with self._told():
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"))
            if step:
                self._add(step, session_log=SessionLog(status=SessionLog.START))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add values of a step; raises OutputError."""
        from tensorboardX.proto.summary_pb2 import Summary

        with self._told():
            for name, value in values.items():
                self._add(step, summary=Summary(value=[Summary.Value(tag=name, simple_value=float(value))]))
            self._writer.flush()

    def close(self) -> None:
        """Close the file; raises OutputError."""
        with self._told():
            self._writer.close()

    def _add(self, step: int, **held: object) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._writer.write_event(Event(wall_time=time.time(), step=step, **held))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({reason(error)})") from None
