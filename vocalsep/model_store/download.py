"""Download a file from the web: with limits, resumed where it stopped, and named only when it is whole and verified."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http
import http.client
import json
import pathlib
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from ..errors import DiskFullError, ModelError, UsageError
from ..model_files import registry
from ..system.atomic_files import DISK_FULL, output_error, write_text
from ..system.folder_lock import lock_folder
from ..system.names import safe_name

LARGEST_DOWNLOAD = 4 << 30
# Without a byte for so long, a connection counts as lost.
TIMEOUT_S = 30.0
# Connections that are lost one after the other without any progress.
ATTEMPTS = 4
WAIT_S = 1.0
BLOCK_BYTES = 1 << 18
# In the folder of a download: the whole file's folder, what has arrived, and what the server said of the file.
WHOLE, PART, STATE = "whole", "part", "state.json"
# Characters of an address that stay as they are.
RESERVED = "%/:=&?~#+!$,;'@()*[]"
SIZE = re.compile(r"[0-9]{1,18}")
SHA256 = re.compile(r"[0-9a-f]{64}")
OK, PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 200, 206, 416


@dataclasses.dataclass(frozen=True)
class _Remote:
    """What the server said of the file: its size in bytes and its version, both "" or None if it did not."""

    size: int | None
    etag: str


def is_url(name: str) -> bool:
    """Whether a name is a web address."""
    return name.lower().startswith(("http://", "https://"))


def file_name(url: str) -> str:
    """Return the name of the file at a web address, fit for any file system."""
    return safe_name(pathlib.PurePosixPath(urllib.parse.unquote(_parts(url).path)).name or "download")


def download(url: str, folder: pathlib.Path, *, sha256: str | None = None, progress: bool = False) -> pathlib.Path:
    """Download a file, or the rest of one that was begun before.

    Parameters
    ----------
    url : str
        An address that begins with ``http://`` or ``https://``.
    folder : pathlib.Path
        Holds a folder for each download, which keeps the part that has arrived.
    sha256 : str, optional
        The file's SHA-256 in hexadecimal, which is verified.
    progress : bool
        Show a bar on standard error.

    Returns
    -------
    pathlib.Path
        The whole file; `remove_download` removes it.

    Raises
    ------
    UsageError
        The address or the checksum makes no sense, or another process is downloading the same file.
    ModelError
        The server has no such file or does not answer, the file is too large, or the checksum is wrong.
    OutputError
        The file cannot be written.
    """
    if not is_url(url) or not _parts(url).hostname:
        raise UsageError("not a web address", path=url)
    expected = None if sha256 is None else sha256.strip().lower()
    if expected is not None and not SHA256.fullmatch(expected):
        raise UsageError("a SHA-256 has 64 hexadecimal digits")
    own = folder / hashlib.sha256(url.encode()).hexdigest()[:16]
    whole = own / WHOLE / file_name(url)
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(own, error) from None
    with lock_folder(own, "wait until it has ended"):
        if not whole.is_file():
            _Download(url, own, progress).run(whole)
        if expected is not None and (actual := registry.checksum(whole)) != expected:
            shutil.rmtree(own, ignore_errors=True)
            raise ModelError(f"its SHA-256 is {actual}, not the one given", path=url, hint="nothing was added")
    return whole


def remove_download(whole: pathlib.Path) -> None:
    """Remove what `download` returned."""
    shutil.rmtree(whole.parent.parent, ignore_errors=True)


class _Download:
    def __init__(self, url: str, folder: pathlib.Path, progress: bool):
        self.url = url
        self.address = urllib.parse.quote(url, safe=RESERVED)
        self.part = folder / PART
        self.state = folder / STATE
        self.progress = progress
        self.remote = self._known()
        handlers = (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        )
        # Unlike the default opener, this one opens neither files nor FTP, whatever a server redirects to.
        self.opener = urllib.request.OpenerDirector()
        for handler in handlers:
            self.opener.add_handler(handler)

    def run(self, whole: pathlib.Path) -> None:
        """Download to the part, and give it its name when it is whole."""
        failures = 0
        while True:
            before = self._have()
            try:
                if not self._complete():
                    self._connection()
                break
            except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
                failures = 1 if self._have() > before else failures + 1
                self._check_fatal(error)
                if failures >= ATTEMPTS:
                    raise self._stopped(error) from None
                time.sleep(WAIT_S * failures)
        self.part.replace(whole)
        self.state.unlink(missing_ok=True)

    def _connection(self) -> None:
        """Fetch what is missing in one connection."""
        have = self._have()
        headers = {"User-Agent": "vocalsep", "Accept-Encoding": "identity"}
        if have and self.remote.etag:
            # If the file has changed, the server sends the new one from its start.
            headers |= {"Range": f"bytes={have}-", "If-Range": self.remote.etag}
        elif have:
            self._restart()
        with self.opener.open(urllib.request.Request(self.address, headers=headers), timeout=TIMEOUT_S) as response:
            if response.status == OK:
                self._restart()
                self.remote = _Remote(_whole(response.headers.get("Content-Length")), _etag(response.headers))
            elif response.status != PARTIAL_CONTENT or not self._continues(response.headers.get("Content-Range", "")):
                self._restart()
                raise http.client.HTTPException("the server sent another part than was asked for")
            self._check_size(self.remote.size or 0)
            write_text(self.state, json.dumps({"url": self.url, **dataclasses.asdict(self.remote)}))
            self._write(response)
        if self.remote.size is not None and not self._complete():
            raise http.client.HTTPException("the connection was lost")

    def _write(self, response: Any) -> None:
        from ..system.progress import Bar

        bar = Bar(
            total=self.remote.size,
            initial=self._have(),
            unit="B",
            unit_scale=True,
            desc=file_name(self.url),
            leave=False,
            disable=not self.progress,
        )
        with contextlib.closing(bar), self._opened_part() as file:
            # What has arrived is written at once, so that an interrupt loses none of it.
            while block := response.read1(BLOCK_BYTES):
                try:
                    file.write(block)
                except OSError as error:
                    raise output_error(self.part, error) from None
                self._check_size(file.tell())
                bar.update(len(block))

    def _opened_part(self) -> Any:
        try:
            # Unbuffered: after an interrupt, the file holds all that was written.
            return self.part.open("ab", buffering=0)
        except OSError as error:
            raise output_error(self.part, error) from None

    def _continues(self, content_range: str) -> bool:
        have, size = self._have(), self.remote.size
        return bool(re.fullmatch(rf"bytes {have}-\d+/({size if size is not None else '[0-9]+'}|\*)", content_range))

    def _complete(self) -> bool:
        return self.remote.size is not None and self._have() == self.remote.size

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _restart(self) -> None:
        self.part.unlink(missing_ok=True)

    def _known(self) -> _Remote:
        """Return what an earlier download has learned of the file; without it, the part cannot be gone on with."""
        try:
            state = json.loads(self.state.read_text("utf-8"))
            if state["url"] == self.url and isinstance(state["size"], int | None) and isinstance(state["etag"], str):
                return _Remote(state["size"], state["etag"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self._restart()
        return _Remote(None, "")

    def _check_size(self, size: int) -> None:
        if size > LARGEST_DOWNLOAD:
            self._restart()
            raise ModelError(f"larger than {LARGEST_DOWNLOAD >> 30} GB, which no model is", path=self.url)
        if size - self._have() > shutil.disk_usage(self.part.parent).free:
            raise DiskFullError(f"{DISK_FULL}: the model has {size / 1e6:.0f} MB", path=self.part.parent)

    def _check_fatal(self, error: Exception) -> None:
        """Raise the error of a download that another attempt would not help."""
        if isinstance(error, urllib.error.HTTPError):
            if error.code == RANGE_NOT_SATISFIABLE:
                self._restart()
            elif error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                raise ModelError(
                    f"the server answers {error.code} ({error.reason})", path=self.url, hint="check the address"
                ) from None
        elif isinstance(error, http.client.InvalidURL | UnicodeError):
            raise UsageError("not a web address", path=self.url) from None
        elif isinstance(error, ValueError):
            raise ModelError(f"the server's answer makes no sense ({error})", path=self.url) from None
        elif isinstance(error, urllib.error.URLError) and "unknown url type" in str(error.reason):
            raise ModelError("the server redirects to something that is no web address", path=self.url) from None

    def _stopped(self, error: Exception) -> ModelError:
        cause = getattr(error, "reason", None) or error
        text = " ".join(str(getattr(cause, "strerror", None) or cause).split()) or type(cause).__name__
        if not self._have():
            hint = "check the address, or try again later"
            return ModelError(f"cannot be downloaded ({text})", path=self.url, hint=hint)
        size = self.remote.size
        done = f"{self._have() / 1e6:.1f} of {'unknown' if size is None else f'{size / 1e6:.1f}'} MB arrived"
        return ModelError(f"cannot be downloaded ({text}); {done}", path=self.url, hint="the same command goes on")


def _parts(url: str) -> urllib.parse.SplitResult:
    """Return the parts of an address, all empty if it is none."""
    try:
        return urllib.parse.urlsplit(url)
    except ValueError:
        return urllib.parse.urlsplit("")


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and SIZE.fullmatch(text) else None


def _etag(headers: Any) -> str:
    """Return a strong validator of the file's version."""
    etag = headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag
