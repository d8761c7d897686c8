"""Shift and order the timestamps of packets, also where the clock of the source restarts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Streams without pauses.
CONTINUOUS = ("video", "audio")
# Seconds of a step backwards, and of one forwards, from which the clock has restarted.
RESTART_S, LONGEST_GAP_S = 1.0, 600.0
# Rounding of timestamps in containers, in seconds.
ROUNDED_S = 0.0005


def retimed_packets(
    container: Any, copies: dict[Any, Any], shift: float, *, restarts: bool = False, positive: bool = False
) -> Iterator[tuple[float, Any]]:
    """Demux packets, assign them to the copies of their streams, and shift their timestamps.

    Parameters
    ----------
    container : av.container.InputContainer
    copies : dict
        Output stream by input stream.
    shift : float
        Seconds that are added to the timestamps.
    restarts : bool
        Whether the clock of the container may restart; packets after a restart continue where the stream was.
    positive : bool
        Leave out packets before 0.

    Yields
    ------
    float, av.Packet
        Time in seconds, and packet.
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
    """Shift timestamps of packets, with increasing decoding times, none of them after the presentation time.

    Parameters
    ----------
    shift : float
        Seconds that are added.
    restarts : bool
        Whether the clock of the packets may restart.
    """

    def __init__(self, shift: float, restarts: bool):
        self.restarts = restarts
        # Seconds that are added: from the beginning, and from each restart of the clock.
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

    def _shift(self, time: float, end: float | None, continuous: bool) -> float:
        if not self.restarts or end is None:
            return self.shifts[-1]
        # The streams reach a restart one after another.
        shift = min(self.shifts[-2:], key=lambda one: abs(time + one - end))
        if continuous and not -RESTART_S < time + shift - end < LONGEST_GAP_S:
            shift = end - time
            self.shifts.append(shift)
        return shift

    def _order(self, packet: Any, stream: Any) -> None:
        if packet.dts is None:
            return
        minimum = self.last[stream] + int(stream.type in CONTINUOUS) if stream in self.last else None
        if minimum is not None:
            packet.dts = max(packet.dts, minimum)
        if packet.pts is not None and packet.pts < packet.dts:
            packet.dts = packet.pts if minimum is None else max(packet.pts, minimum)
            packet.pts = packet.dts
        self.last[stream] = packet.dts
