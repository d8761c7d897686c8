"""A harness in which everything goes wrong that can: by it the tests know that `watch` sees it."""

from __future__ import annotations

import ctypes
import os
import pathlib
import random
import signal
import time

from vocalsep.errors import AudioError

from .defect import Defect

# In the order of the cases: what happens, and a word of the expected message.
FAULTS = ("fine", "refused", "wrong", "raised", "printed", "crashed", "hung", "swollen", "fine again")
SEEN = ("", "", "wrong sum", "ZeroDivisionError", "Error A", "exit code -11", "still at it", "MB", "")
SWELL_BYTES = 600_000_000


class Faulty:
    """See `watch.Harness`."""

    def __init__(self, seeds: pathlib.Path, place: pathlib.Path):
        self.place = place
        self.faults = iter(FAULTS[len(list(seeds.iterdir())) :])
        self.seeds = seeds

    def attempt(self, random_: random.Random) -> None:
        """Do what is next in `FAULTS`."""
        fault = next(self.faults)
        (self.seeds / fault).touch()
        (self.place / "input").write_text(fault)
        if fault == "refused":
            raise AudioError("is no audio")
        if fault == "wrong":
            raise Defect("wrong sum")
        if fault == "raised":
            raise ZeroDivisionError
        if fault == "printed":
            ctypes.CDLL(None).printf(b"Error A\n")
        if fault == "crashed":
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == "hung":
            time.sleep(60)
        if fault == "swollen":
            held = b"x" * SWELL_BYTES
            time.sleep(60 + held[0])
