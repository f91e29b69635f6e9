"""TXT records of the public DNS, asked for with a bound on everything: time, size, and indirection.

`LATCHKEY_DNS_NAMESERVERS` names whom to ask; empty, it is whom the machine asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.settings import Settings

# It is imported where it is used: it is large, and a start does without it.
if TYPE_CHECKING:
    from dns.resolver import Answer, Resolver

LIFETIME = 4.0  # seconds, all tries together
ONE_TRY = 2.0
MAX_RECORDS = 50
DNS_PORT = 53

MISSING, ALIAS, TOO_MANY, UNANSWERED = "missing", "alias", "too many", "unanswered"


class NoRecords(Exception):
    """`reason` is MISSING (the nameservers say so), ALIAS (somebody else's record would answer),
    TOO_MANY, or UNANSWERED, which says nothing about the domain."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def texts_of(settings: Settings, name: str) -> list[str]:
    """The texts at a name, each with its parts joined (RFC 7208 section 3.3). Raises NoRecords."""
    answer = _asked(settings, name)
    if answer.canonical_name != answer.qname:
        raise NoRecords(ALIAS)
    if len(answer) > MAX_RECORDS:
        raise NoRecords(TOO_MANY)
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


def _asked(settings: Settings, name: str) -> Answer:
    import dns.exception
    import dns.resolver

    try:
        return _resolver(settings).resolve(f"{name}.", "TXT", search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer) as problem:
        raise NoRecords(MISSING) from problem
    except (dns.exception.DNSException, OSError) as problem:
        raise NoRecords(UNANSWERED) from problem


def _resolver(settings: Settings) -> Resolver:
    import dns.nameserver
    import dns.resolver

    named = [each.strip() for each in settings.dns_nameservers.split(",") if each.strip()]
    resolver = dns.resolver.Resolver(configure=not named)
    resolver.lifetime, resolver.timeout = LIFETIME, ONE_TRY
    if named:
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(address.strip("[]"), int(port or DNS_PORT))
            for address, _, port in (_split(each) for each in named)
        ]
    return resolver


def _split(named: str) -> tuple[str, str, str]:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`."""
    if named.startswith("[") or named.count(":") == 1:
        return named.rpartition(":") if not named.endswith("]") else (named, "", "")
    return named, "", ""
