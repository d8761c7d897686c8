#!/usr/bin/env python3
"""Separate a song as a stream and print how loud vocals and accompaniment are, while it is still being read.

python examples/stream_levels.py song.flac
"""

import sys

import numpy as np
import soundfile

from vocalsep import Separator


def level_db(block):
    return 10 * np.log10(np.mean(block**2) + 1e-12)


with soundfile.SoundFile(sys.argv[1]) as file:
    blocks = (block.T for block in file.blocks(blocksize=file.samplerate, dtype="float32", always_2d=True))
    seconds = 0.0
    for vocals, accompaniment in Separator().stream(blocks, file.samplerate):
        seconds += vocals.shape[1] / file.samplerate
        print(f"up to {seconds:6.1f} s: vocals {level_db(vocals):6.1f} dB, band {level_db(accompaniment):6.1f} dB")
