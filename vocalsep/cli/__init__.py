"""The command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    from .interrupts import INTERRUPTED, Interrupts

    interrupts = Interrupts()
    interrupts.install()
    try:
        # Not before: whoever changes their mind at once shall not see where in the imports they were.
        from .app import app

        app()
    except KeyboardInterrupt:
        print("vocalsep: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        interrupts.leave()
