"""The command line."""

from __future__ import annotations

import gc
import sys

# Importing makes some hundred thousand objects that stay: looking for garbage among them every 700 takes a tenth of the
# time in which a program begins.
GARBAGE_AFTER = 50_000


def main() -> None:
    """Run the command line."""
    from .interrupts import INTERRUPTED, Interrupts

    gc.set_threshold(GARBAGE_AFTER)
    interrupts = Interrupts(sys._getframe())
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
