#!/usr/bin/env python3
"""Separate one song into two files beside it.

python examples/separate_song.py song.mp3
"""

import pathlib
import sys

from vocalsep import Separator, VocalsepError

song = pathlib.Path(sys.argv[1])
try:
    stems = Separator().separate_file(song, song.with_suffix(""), overwrite=True)
except VocalsepError as error:
    sys.exit(f"{song}: {error}")
for name, path in stems.items():
    print(f"{name}: {path}")
