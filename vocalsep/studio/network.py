"""Addresses under which other devices reach the studio, and their QR codes."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import socket

EVERY_ADDRESS = ("0.0.0.0", "::", "")
# Addresses that documentation reserves: nothing is sent, the system only chooses its own address.
ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def addresses(host: str, port: int, token: str) -> list[str]:
    """Return the addresses of a studio that listens to the network, those with numbers first.

    Names such as ``laptop.local`` often do not work on phones.

    Parameters
    ----------
    host : str
        Where it listens.
    port : int
    token : str
    """
    hosts = _own_hosts(host) if host in EVERY_ADDRESS else [host]
    return [f"http://{f'[{one}]' if ':' in one else one}:{port}/?token={token}" for one in hosts]


def qr_svg(text: str) -> str:
    """Return a QR code as an SVG image, dark on white, with its quiet zone."""
    import segno

    drawn = io.BytesIO()
    segno.make(text, micro=False, error="m").save(drawn, kind="svg", scale=8, border=4, dark="#000", light="#fff")
    return drawn.getvalue().decode("utf-8")


def qr_text(text: str) -> str:
    """Return a QR code in half blocks for a terminal, as lines without an end."""
    import segno

    drawn = io.StringIO()
    segno.make(text, micro=False, error="l").terminal(out=drawn, compact=True, border=2)
    return drawn.getvalue().rstrip("\n")


def _own_hosts(host: str) -> list[str]:
    """Return this machine's addresses: that of its way to the network, all others of its name, and its name."""
    families = [socket.AF_INET] if host == "0.0.0.0" else [socket.AF_INET, socket.AF_INET6]
    found: list[str] = []
    for family, elsewhere in ELSEWHERE:
        if family in families:
            with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                found.append(probe.getsockname()[0])
    name = socket.gethostname()
    for family in families:
        with contextlib.suppress(OSError, UnicodeError):
            found += [str(entry[4][0]) for entry in socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)]
    usable = [one for one in dict.fromkeys(found) if _is_usable(one)]
    # Without a network only this machine can use it, until there is one.
    return [*usable, *([name] if name else [])] or ["127.0.0.1"]


def _is_usable(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)
