"""Which addresses may be called: public unicast over https, and in development this very machine.

Python's `is_global` alone is not enough: it is true for multicast, for site-local IPv6 and for the IPv6 forms
that carry an IPv4 address inside (NAT64, 6to4, Teredo), behind which a private network can hide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpx

PORTS: Final = frozenset({443, 8443})

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9._-]{0,250}[a-z0-9])?")
_PUBLIC_V6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_NEVER_V4: Final = (
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv4Network("168.63.129.16/32"),  # a cloud's own metadata behind a public address
)


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed address whose words are in order; what its name resolves to is judged later."""

    url: httpx.URL
    host: str
    port: int
    here: bool


def target_of(url: str, *, allow_loopback: bool) -> Target | None:
    """None for an address that is not called whatever its name resolves to."""
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii").lower().rstrip(".")
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return None
    if not host or parsed.userinfo or parsed.fragment or parsed.scheme not in ("http", "https"):
        return None
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    here = allow_loopback and _names_this_machine(host)
    literal = _literal(host)
    if literal is None and not _NAME.fullmatch(host):
        return None
    if not here and (parsed.scheme != "https" or port not in PORTS or (literal is not None and not is_public(literal))):
        return None
    return Target(parsed, host, port, here)


def may_call(target: Target, addresses: Iterable[str]) -> bool:
    """Whether every address the name resolved to may be called; one bad one refuses them all."""
    found = [ip_address(each) for each in addresses]
    if target.here:
        return bool(found) and all(each.is_loopback for each in found)
    return bool(found) and all(is_public(each) for each in found)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Global unicast, and so is the IPv4 address it may carry inside."""
    if isinstance(address, IPv6Address):
        inside = _inside(address)
        if inside is not None:
            return is_public(inside)
        return address in _PUBLIC_V6 and address.is_global and not address.is_multicast
    return address.is_global and not address.is_multicast and not any(address in network for network in _NEVER_V4)


def _inside(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _names_this_machine(host: str) -> bool:
    literal = _literal(host)
    return literal.is_loopback if literal is not None else host == "localhost" or host.endswith(".localhost")
