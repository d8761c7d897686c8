"""What a harness says where vocalsep took something that it should not have taken."""

from __future__ import annotations


class Defect(Exception):
    """A result that is wrong though no error was raised."""


def expect(condition: object, why: str) -> None:
    """Raise Defect with `why` unless `condition` holds."""
    if not condition:
        raise Defect(why)
