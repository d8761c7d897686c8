"""Packets of several streams in time: moved, in order, and across clocks that begin anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Streams without pauses of their own.
CONTINUOUS = ("video", "audio")
# A step back of this many seconds is a clock that starts anew, and so is one ahead that is longer than any pause.
RESTART_S, LONGEST_GAP_S = 1.0, 600.0
# What containers round times to.
ROUNDED_S = 0.0005


def retimed_packets(
    container: Any, copies: dict[Any, Any], shift: float, *, restarts: bool = False, positive: bool = False
) -> Iterator[tuple[float, Any]]:
    """Yield time and packet of each stream in turn, bound for its copy, and later by `shift` seconds.

    Where the clock `restarts`, what follows goes on where the stream was. Where times must be `positive`, earlier
    packets are left out.
    """
    clock = PacketClock(shift, restarts)
    for packet in container.demux(*copies) if copies else ():
        if packet.size or packet.dts is not None or packet.pts is not None:
            copy = copies[packet.stream]
            time = clock.set(packet)
            packet.stream = copy
            if time > -ROUNDED_S or not positive:
                yield time, packet


class PacketClock:
    """Puts packets in time: later, one after another, and none decoded after it is shown.

    Parameters
    ----------
    shift : float
        By how many seconds all packets are later.
    restarts : bool
        Whether the clock of the packets may begin anew.
    """

    def __init__(self, shift: float, restarts: bool):
        self.restarts = restarts
        # How much later than they say packets are: from the beginning, and after each new start of their clock.
        self.shifts = [shift]
        self.ends: dict[Any, float] = {}
        self.last: dict[Any, int] = {}

    def set(self, packet: Any) -> float:
        """Set a packet's time stamps and return its time in seconds."""
        stream = packet.stream
        base = float(stream.time_base)
        end = self.ends.get(stream, max(self.ends.values(), default=None))
        if packet.dts is None and packet.pts is None:
            packet.pts = packet.dts = round(((end or 0.0) - self.shifts[-1]) / base)
        time = (packet.pts if packet.dts is None else packet.dts) * base
        shift = self._shift(time, end, stream.type in CONTINUOUS)
        ticks = round(shift / base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        self._order(packet, stream)
        self.ends[stream] = max(self.ends.get(stream, 0.0), time + shift + (packet.duration or 0) * base)
        return time + shift

    def _shift(self, time: float, end: float | None, solid: bool) -> float:
        if not self.restarts or end is None:
            return self.shifts[-1]
        # Streams meet a new start one after another.
        shift = min(self.shifts[-2:], key=lambda one: abs(time + one - end))
        if solid and not -RESTART_S < time + shift - end < LONGEST_GAP_S:
            shift = end - time
            self.shifts.append(shift)
        return shift

    def _order(self, packet: Any, stream: Any) -> None:
        if packet.dts is None:
            return
        lowest = self.last[stream] + int(stream.type in CONTINUOUS) if stream in self.last else None
        if lowest is not None:
            packet.dts = max(packet.dts, lowest)
        if packet.pts is not None and packet.pts < packet.dts:
            packet.dts = packet.pts if lowest is None else max(packet.pts, lowest)
            packet.pts = packet.dts
        self.last[stream] = packet.dts
