"""The command line."""

from __future__ import annotations

import gc
import sys

# Importing makes some hundred thousand objects that stay: looking for garbage among them every 700 takes a tenth of the
# time in which a program begins.
GARBAGE_AFTER = 50_000


def main() -> None:
    """Run the command line."""
    from ..system.atomic_files import reason
    from ..system.signals import INTERRUPTED, InterruptHandler
    from .streams import complain, drop_output, prepare

    gc.set_threshold(GARBAGE_AFTER)
    prepare()
    interrupts = InterruptHandler(sys._getframe())
    interrupts.install()
    try:
        # Not before: whoever changes their mind at once shall not see where in the imports they were.
        from .app import app

        app()
    except KeyboardInterrupt:
        complain("vocalsep: interrupted")
        sys.exit(INTERRUPTED)
    except OSError as error:
        # Of --help, --version and usage errors; commands have `session.one_line_errors`.
        complain(f"vocalsep: standard output cannot be written: {reason(error)}")
        drop_output()
        sys.exit(2)
    finally:
        interrupts.finish()
