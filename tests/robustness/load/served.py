"""A studio in a subprocess, with its memory and output recorded."""

from __future__ import annotations

import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

SAMPLE_S = 0.5


class StudioProcess:
    """`vocalsep serve` with a library of its own.

    Attributes
    ----------
    address : str
    memory : list of float
        Resident megabytes, every `SAMPLE_S` seconds.
    stderr : list of str
        Lines on standard error after the first one, which has the address.
    """

    def __init__(self, library: pathlib.Path):
        command = [sys.executable, "-m", "vocalsep", "serve", "--port", "0", "--library", str(library)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.library = library
        self.memory: list[float] = []
        self.stderr: list[str] = []
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        match = re.match(r"studio: (\S+)", line)
        if match is None:
            raise RuntimeError(f"the studio did not start: {line}{self.process.stderr.read()}")
        self.address = match[1]
        for work in (self._read_stderr, self._sample_memory):
            threading.Thread(target=work, daemon=True).start()

    def close(self) -> int:
        """Interrupt the process, and return its exit code."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=60)
        finally:
            self.process.kill()

    def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        self.stderr.extend(self.process.stderr)

    def _sample_memory(self) -> None:
        status = pathlib.Path(f"/proc/{self.process.pid}/status")
        while self.process.poll() is None:
            try:
                match = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
            except OSError:
                return
            if match:
                self.memory.append(int(match[1]) / 1024)
            time.sleep(SAMPLE_S)
