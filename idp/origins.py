"""Origins: scheme, host and port of an address, as browsers write them (RFC 6454 section 6.1)."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

USUAL_PORTS = {"http": 80, "https": 443}


@lru_cache(maxsize=1024)
def origin_of(uri: str) -> str | None:
    """None for what is no address of the web."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in USUAL_PORTS or host is None:
        return None
    host = f"[{host}]" if ":" in host else host
    is_usual = port in (None, USUAL_PORTS[parts.scheme])
    return f"{parts.scheme}://{host}" if is_usual else f"{parts.scheme}://{host}:{port}"
