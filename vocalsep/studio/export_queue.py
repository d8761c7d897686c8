"""Downloads in the making: a queue that shares equal requests, and keeps what is finished for a while."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from ..system.background import lower_priority
from .error_messages import Code, Problem, StudioError, error_fields, problem_of
from .export_request import ExportRequest, download_name
from .exports import Exporter, ExportTask
from .library import CANCELLED, DONE, FAILED, QUEUED, RUNNING, LibrarySong

# Exports that are written at once.
MAX_RUNNING = 2
MAX_WAITING = 100
# Finished exports that are kept: how many, of how many bytes together, and how long in seconds.
MAX_KEPT = 100
MAX_KEPT_BYTES = 2_000_000_000
MAX_AGE_S = 24 * 3600.0
# Shortest time between two reports of an export's progress, in seconds.
REPORT_INTERVAL_S = 0.25
# See `lower_priority`: practice goes before separation, and both go before exports.
NICENESS = 8
FINISHED = (DONE, FAILED, CANCELLED)


class ExportStopped(Exception):
    """An export is not wanted any more."""


@dataclasses.dataclass(eq=False)
class Export:
    """A file that is made for download.

    Attributes
    ----------
    id : str
        16 hexadecimal digits.
    task : ExportTask
    created : float
        Unix time in seconds.
    state : str
        ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
    progress : float
        0 to 1.
    problem : Problem or None
        Why it failed.
    remarks : tuple of str
    name : str
        Of the file; empty until it is done.
    path : pathlib.Path or None
        None until it is done.
    bytes : int
    clients : set of str
        Who asked for it; an empty text for those that are never noticed to leave.
    stopped : threading.Event
        Set when it is not wanted any more.
    reported, finished : float
        When its progress was last reported, and when it ended, by `time.monotonic`.
    """

    id: str
    task: ExportTask
    created: float
    state: str = QUEUED
    progress: float = 0.0
    problem: Problem | None = None
    remarks: tuple[str, ...] = ()
    name: str = ""
    path: pathlib.Path | None = None
    bytes: int = 0
    clients: set[str] = dataclasses.field(default_factory=set)
    stopped: threading.Event = dataclasses.field(default_factory=threading.Event)
    reported: float = 0.0
    finished: float = 0.0


class ExportQueue:
    """Makes exports in the order in which they were asked for, in threads of its own.

    Parameters
    ----------
    exporter : Exporter
    publish : callable
        Called with the kind and the data of an event, see `EventStream.publish`.
    """

    def __init__(self, exporter: Exporter, publish: Callable[[str, Any], None]):
        self.exporter = exporter
        self.publish = publish
        self._changed = threading.Condition()
        self._closing = False
        # From the oldest to the newest.
        self._exports: dict[str, Export] = {}
        self._threads: list[threading.Thread] = []

    def request(self, song: LibrarySong, request: ExportRequest, client: str = "") -> Export:
        """Return the export that meets a request: an equal one, or a new one at the end of the queue.

        Parameters
        ----------
        song : LibrarySong
            One that is done.
        request : ExportRequest
        client : str
            Who asks; empty for one who is not noticed to leave.

        Raises
        ------
        StudioError
            The request cannot be met, or as many exports wait as may.
        """
        task = self.exporter.task(song, request)
        with self._changed:
            self._delete_old()
            for export in self._exports.values():
                if export.task == task and export.state not in (FAILED, CANCELLED) and not export.stopped.is_set():
                    export.clients.add(client)
                    return export
            if sum(export.state == QUEUED for export in self._exports.values()) >= MAX_WAITING:
                raise StudioError(Code.EXPORTS_FULL, count=MAX_WAITING)
            export = Export(secrets.token_hex(8), task, time.time(), clients={client})
            self._exports[export.id] = export
            if len(self._threads) < MAX_RUNNING:
                thread = threading.Thread(target=self._work, name="export", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._report(export)
            self._changed.notify_all()
            return export

    def get(self, export_id: str) -> Export | None:
        """Return the export of this id, or None."""
        with self._changed:
            return self._exports.get(export_id)

    def all(self) -> list[Export]:
        """Return all exports, the newest first."""
        with self._changed:
            return list(reversed(self._exports.values()))

    def describe(self, export: Export) -> dict[str, Any]:
        """Return an export as the HTTP interface shows it."""
        with self._changed:
            return {
                "id": export.id,
                "song": export.task.song.id,
                "request": export.task.request.model_dump(),
                "state": export.state,
                "position": self._position(export),
                "progress": round(export.progress, 3),
                **error_fields(export.problem),
                "remarks": list(export.remarks),
                "name": export.name,
                "bytes": export.bytes,
                "created": export.created,
                "url": f"/api/exports/{export.id}/file" if export.state == DONE else None,
            }

    def cancel(self, export: Export, client: str | None = None) -> None:
        """Stop and remove an export, unless other clients than this one asked for it too.

        Parameters
        ----------
        export : Export
        client : str or None
            None to remove it for everybody.
        """
        with self._changed:
            if client is not None:
                export.clients.discard(client)
                if export.clients:
                    return
            self._remove(export)

    def leave(self, client: str) -> None:
        """Stop and remove the unfinished exports that nobody asked for who is still there."""
        with self._changed:
            for export in list(self._exports.values()):
                if export.state not in FINISHED and client in export.clients:
                    self.cancel(export, client)

    def remove_song(self, song_id: str) -> None:
        """Stop and remove all exports of a song."""
        with self._changed:
            for export in list(self._exports.values()):
                if export.task.song.id == song_id:
                    self._remove(export)

    def stop(self) -> None:
        """Tell all exports to stop."""
        with self._changed:
            self._closing = True
            for export in self._exports.values():
                export.stopped.set()
            self._changed.notify_all()

    def join(self, deadline: float) -> bool:
        """Wait for the exports to stop, until `time.monotonic` is at the deadline; return whether they have."""
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        lower_priority(NICENESS)
        while True:
            with self._changed:
                while (export := self._next()) is None and not self._closing:
                    self._changed.wait()
                if export is None or self._closing:
                    return
                export.state = RUNNING
                self._report(export)
                self._report_waiting()
            self._make(export)

    def _make(self, export: Export) -> None:
        problem, made, size = None, None, 0
        try:
            made = self.exporter.write(export.task, lambda share: self._advance(export, share))
            size = made.path.stat().st_size
        except ExportStopped:
            pass
        except Exception as failure:
            # One export must not end the queue.
            problem = problem_of(failure)
        with self._changed:
            if export.stopped.is_set() or made is None or problem:
                if made is not None:
                    _delete(made.path)
                export.state, export.problem = FAILED if problem else CANCELLED, problem
            else:
                export.state, export.progress, export.remarks = DONE, 1.0, made.remarks
                export.path, export.bytes = made.path, size
                export.name = download_name(export.task.song, export.task.request, made.suffix)
            export.finished = time.monotonic()
            if export.id in self._exports:
                self._report(export)
            self._delete_old()

    def _advance(self, export: Export, share: float) -> None:
        """Record and report an export's progress; raise ExportStopped if it is not wanted any more."""
        if export.stopped.is_set():
            raise ExportStopped
        with self._changed:
            export.progress = max(export.progress, min(1.0, share))
            now = time.monotonic()
            if now - export.reported > REPORT_INTERVAL_S and not export.stopped.is_set():
                export.reported = now
                self._report(export)

    def _next(self) -> Export | None:
        return next((export for export in self._exports.values() if export.state == QUEUED), None)

    def _position(self, export: Export) -> int | None:
        if export.state == RUNNING:
            return 0
        waiting = [one for one in self._exports.values() if one.state == QUEUED]
        return waiting.index(export) + 1 if export in waiting else None

    def _report(self, export: Export) -> None:
        self.publish("export", self.describe(export))

    def _report_waiting(self) -> None:
        for export in self._exports.values():
            if export.state == QUEUED:
                self._report(export)

    def _remove(self, export: Export) -> None:
        export.stopped.set()
        if self._exports.pop(export.id, None) is None:
            return
        waited = export.state == QUEUED
        if waited:
            export.state = CANCELLED
        if export.path is not None:
            _delete(export.path)
        self.publish("export_gone", {"id": export.id})
        if waited:
            self._report_waiting()

    def _delete_old(self) -> None:
        """Delete the oldest finished exports beyond the bounds; the newest one stays, however large it is."""
        kept, size = 0, 0
        oldest = time.monotonic() - MAX_AGE_S
        for export in reversed(list(self._exports.values())):
            if export.state in FINISHED:
                kept += 1
                size += export.bytes
                too_many = kept > MAX_KEPT or (kept > 1 and size > MAX_KEPT_BYTES)
                if too_many or export.finished < oldest:
                    self._remove(export)


def _delete(path: pathlib.Path) -> None:
    # Windows keeps files that are being sent; they go when the studio starts next.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
