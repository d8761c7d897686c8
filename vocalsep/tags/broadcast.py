"""What a Broadcast WAV says of its recording: its ``bext`` chunk (EBU Tech 3285), and iXML."""

from __future__ import annotations

import dataclasses
import re
import struct

BEXT, IXML = b"bext", b"iXML"
# Description, originator and its reference, date and time.
TEXTS = 256 + 32 + 32 + 10 + 8
# With the time reference, the version, and what it has of loudness and identity.
FIXED = 602
LARGEST_IXML = 1_000_000
# Samples since midnight, in halves of 32 bits.
HALVES = (
    (b"TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", b"TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO"),
    (b"BWF_TIME_REFERENCE_HIGH", b"BWF_TIME_REFERENCE_LOW"),
)
LARGEST_TIME = 2**64 - 1


@dataclasses.dataclass(frozen=True)
class Broadcast:
    """Description and origin of a recording, and the time at which it begins.

    Parameters
    ----------
    texts : bytes
        Description, originator, reference, date and time, as `bext` holds them; empty without such a chunk.
    time : int
        Samples since midnight at which the recording begins.
    ixml : bytes
        The iXML chunk.
    """

    texts: bytes = b""
    time: int = 0
    ixml: bytes = b""

    @classmethod
    def of(cls, bext: bytes, ixml: bytes) -> Broadcast | None:
        """Read both chunks, either of which may be missing or too short; None where there is nothing in them."""
        texts, time = b"", 0
        if len(bext) >= TEXTS + 8:
            texts = bext[:TEXTS]
            (time,) = struct.unpack_from("<Q", bext, TEXTS)
        kept = ixml if len(ixml) <= LARGEST_IXML else b""
        return cls(texts, time, kept) if texts or kept else None

    @property
    def bext(self) -> bytes:
        """The ``bext`` chunk, without what belongs to the file that was read: loudness, identity, history."""
        return (self.texts + struct.pack("<QH", self.time, 1)).ljust(FIXED, b"\0") if self.texts else b""

    def shifted(self, samples: int) -> Broadcast:
        """Return the same for a part that begins so many samples later."""
        ixml = self.ixml
        for high, low in HALVES:
            found = [re.search(rb"<%s>\s*(\d{1,10})\s*<" % name, ixml) for name in (high, low)]
            if found[0] and found[1]:
                time = min((int(found[0][1]) << 32) + int(found[1][1]) + samples, LARGEST_TIME)
                for match, half in zip(found, (time >> 32, time & 0xFFFFFFFF), strict=True):
                    if match:
                        ixml = ixml.replace(match[0], match[0].replace(match[1], b"%d" % half), 1)
        return dataclasses.replace(self, time=min(self.time + samples, LARGEST_TIME), ixml=ixml)
