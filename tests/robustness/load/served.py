"""A studio in a process of its own that is watched."""

from __future__ import annotations

import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

SAMPLE_S = 0.5


class Served:
    """`vocalsep serve` with a library of its own.

    Attributes
    ----------
    address : str
    memory : list of float
        Resident megabytes, every `SAMPLE_S` seconds.
    said : list of str
        Lines on standard error, but for the address.
    """

    def __init__(self, library: pathlib.Path):
        command = [sys.executable, "-m", "vocalsep", "serve", "--port", "0", "--library", str(library)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.library = library
        self.memory: list[float] = []
        self.said: list[str] = []
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.match(r"studio: (\S+)", line)
        if found is None:
            raise RuntimeError(f"the studio did not start: {line}{self.process.stderr.read()}")
        self.address = found[1]
        for work in (self._listen, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def close(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=60)
        finally:
            self.process.kill()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(self.process.stderr)

    def _watch(self) -> None:
        status = pathlib.Path(f"/proc/{self.process.pid}/status")
        while self.process.poll() is None:
            try:
                found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
            except OSError:
                return
            if found:
                self.memory.append(int(found[1]) / 1024)
            time.sleep(SAMPLE_S)
