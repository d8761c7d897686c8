"""The metadata chunks of Broadcast WAVs: ``bext`` (EBU Tech 3285) and iXML."""

from __future__ import annotations

import dataclasses
import re
import struct

BEXT, IXML = b"bext", b"iXML"
# Description, originator and its reference, date and time.
TEXTS = 256 + 32 + 32 + 10 + 8
# Bytes up to the coding history: with the time reference, the version, UMID and loudness.
FIXED = 602
LARGEST_IXML = 1_000_000
# iXML gives the samples since midnight as two halves of 32 bits.
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
        """Parse the data of both chunks, either of which may be empty or too short; None where both hold nothing."""
        texts, time = b"", 0
        if len(bext) >= TEXTS + 8:
            texts = bext[:TEXTS]
            (time,) = struct.unpack_from("<Q", bext, TEXTS)
        valid_ixml = ixml if len(ixml) <= LARGEST_IXML else b""
        return cls(texts, time, valid_ixml) if texts or valid_ixml else None

    @property
    def bext(self) -> bytes:
        """Data of the ``bext`` chunk, without the UMID, loudness and coding history of the original file."""
        return (self.texts + struct.pack("<QH", self.time, 1)).ljust(FIXED, b"\0") if self.texts else b""

    def shifted(self, samples: int) -> Broadcast:
        """Return the metadata of an excerpt that begins a number of samples later."""
        ixml = self.ixml
        for high, low in HALVES:
            matches = [re.search(rb"<%s>\s*(\d{1,10})\s*<" % name, ixml) for name in (high, low)]
            if matches[0] and matches[1]:
                time = min((int(matches[0][1]) << 32) + int(matches[1][1]) + samples, LARGEST_TIME)
                for match, half in zip(matches, (time >> 32, time & 0xFFFFFFFF), strict=True):
                    if match:
                        ixml = ixml.replace(match[0], match[0].replace(match[1], b"%d" % half), 1)
        return dataclasses.replace(self, time=min(self.time + samples, LARGEST_TIME), ixml=ixml)
