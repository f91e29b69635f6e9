"""Which network somebody asks from: one caller for limits, however the address is written."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def network_of(address: str) -> str:
    """An IPv4 address, or the 64 bits of an IPv6 one that its owner can't change (S43)."""
    return _beginning(address, 64)


def site_of(address: str) -> str:
    """The same by the 48 bits that are the most one customer is given (RFC 6177): whoever has them
    has 65,536 networks."""
    return _beginning(address, 48)


def _beginning(address: str, bits: int) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{int(parsed) >> (128 - bits):x}/{bits}"
