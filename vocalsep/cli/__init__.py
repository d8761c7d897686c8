"""The command line."""

from __future__ import annotations

import gc
import sys

# Imports allocate some hundred thousand objects that live to the end: collecting garbage after every 700 of them takes
# a tenth of the start-up time.
GC_THRESHOLD = 50_000


def main() -> None:
    """Run the command line."""
    from ..system.atomic_files import os_error_text
    from ..system.signals import INTERRUPTED, InterruptHandler
    from .streams import complain, drop_output, prepare

    gc.set_threshold(GC_THRESHOLD)
    prepare()
    interrupts = InterruptHandler(sys._getframe())
    interrupts.install()
    try:
        # Imported here, so that an early Ctrl-C shows one line and not a traceback of imports.
        from .app import app

        app()
    except KeyboardInterrupt:
        complain("vocalsep: interrupted")
        sys.exit(INTERRUPTED)
    except OSError as error:
        # From --help, --version and usage errors; commands use `errors.one_line_errors`.
        complain(f"vocalsep: standard output cannot be written: {os_error_text(error)}")
        drop_output()
        sys.exit(2)
    finally:
        interrupts.finish()
