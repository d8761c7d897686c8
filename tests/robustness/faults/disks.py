"""Disks that are small, full or read-only, for tests that run as root."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def small_disk(place: pathlib.Path, kilobytes: int) -> Iterator[pathlib.Path]:
    """Mount a disk of a size; skips the test where that cannot be done."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can make a small disk")
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: pathlib.Path, leave: int = 0) -> pathlib.Path:
    """Take all room on a disk but some kilobytes, and return the file that has it."""
    free = os.statvfs(place)
    path = place / "fill"
    path.write_bytes(bytes(free.f_bavail * free.f_frsize - leave * 1024))
    return path


@contextlib.contextmanager
def read_only(place: pathlib.Path) -> Iterator[None]:
    """Make a mounted disk read-only for a while."""
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True, capture_output=True)
