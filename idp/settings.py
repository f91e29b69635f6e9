"""Every setting, typed, frozen, read once from the environment (`LATCHKEY_…`).

Each is documented in docs/operate.md; a test fails for one that is not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from idp.errors import SetupMistake
from idp.origins import origin_of
from idp.traces import JOINED, WAYS

PREFIX = "LATCHKEY_"
FILE = "_FILE"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ARGON2_FLOOR_KIB = 19 * 1024
BOUNDS = {
    "lockout_threshold": (3, 10),
    "lockout_duration": (60, 3600),
    "second_factor_threshold": (3, 10),
    "second_factor_pause": (60, 3600),
    "tries_per_network": (10, 10**6),
    "tries_per_tenant": (10, 10**6),
    "access_token_lifetime": (60, 3600),
    "pushed_request_lifetime": (5, 599),
    "device_code_lifetime": (60, 1800),
    "backchannel_request_lifetime": (60, 1800),
}
UPSTREAM_THREADS = 4  # that wait for other providers, at most
SPARE_THREADS = 2  # that neither a flood of sign-ins nor other providers hold
HSTS = "max-age=63072000; includeSubDomains"  # what browsers are told of an https issuer
REQUEST_ID_HEADER = "X-Request-ID"  # of an answer
RETRY_AFTER = ("Retry-After", "1")
Networks = tuple[IPv4Network | IPv6Network, ...]

LANGUAGES = ("en", "es")  # of pages and letters, the first where no other will do
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Times are in seconds, sizes in bytes, addresses are origins without a trailing slash."""

    issuer: str = "http://localhost:8000"
    database_url: str = field(default="sqlite:///data/latchkey.db", repr=False)
    redis_url: str = field(default="", repr=False)
    keys_dir: Path = Path("keys")
    sealing_key: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int = 12
    operations_host: str = "127.0.0.1"
    operations_port: int = 0
    drain: int = 5
    trusted_proxies: str = ""
    request_id_header: str = ""
    client_certificate_header: str = ""
    client_certificate_verified_header: str = ""
    mtls_url: str = ""
    database_pool: int = 8
    log_level: str = "INFO"
    traces: str = ""
    demo_inbox: bool = False

    code_lifetime: int = 60
    pushed_request_lifetime: int = 60
    require_pushed_authorization_requests: bool = False
    fetch_request_uris: bool = False
    device_code_lifetime: int = 600
    backchannel_request_lifetime: int = 600
    open_registration: str = ""
    software_issuers: str = ""
    access_token_lifetime: int = 600
    id_token_lifetime: int = 600
    refresh_idle_lifetime: int = 14 * 86400
    refresh_absolute_lifetime: int = 90 * 86400
    refresh_grace: int = 10
    session_idle_lifetime: int = 3600
    session_absolute_lifetime: int = 86400
    attempt_lifetime: int = 1800
    second_factor_lifetime: int = 12 * 3600
    operator_second_factor: bool = False

    webauthn_rp_id: str = ""
    webauthn_origins: str = ""

    lockout_threshold: int = 5
    lockout_duration: int = 1800
    second_factor_threshold: int = 5
    second_factor_pause: int = 1800
    tries_per_network: int = 100
    tries_per_tenant: int = 1000
    compromised_range_url: str = ""
    argon2_memory_kib: int = 19 * 1024
    argon2_time_cost: int = 2
    argon2_parallelism: int = 1
    argon2_slots: int = 1
    argon2_queue: int = 5

    signing_key_max_age: int = 90 * 86400
    signing_key_lead: int = 600
    jwks_max_age: int = 30

    dns_nameservers: str = ""
    outgoing_networks: str = ""
    code_tenant_budget: int = 5000
    code_network_budget: int = 60
    sms_url: str = field(default="", repr=False)
    sms_from: str = ""
    sms_countries: str = "US,CA,GB,ES"
    smtp_url: str = field(default="", repr=False)
    mail_from: str = "Latchkey <no-reply@localhost>"

    def __post_init__(self) -> None:
        check_issuer(self.issuer)
        for name, (least, most) in BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                setting = PREFIX + name.upper()
                raise SetupMistake(f"{setting} must lie between {least} and {most}.")
        self._check_relying_party()
        self._check_networks()
        if self.compromised_range_url:
            _check_range_url(self.compromised_range_url)
        _check_smtp_url(self.smtp_url)
        if not 1 <= self.code_lifetime <= 60:
            raise SetupMistake("LATCHKEY_CODE_LIFETIME must be at most 60 seconds.")
        if self.log_level not in LOG_LEVELS:
            raise SetupMistake(f"LATCHKEY_LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}.")
        if "*" in self.trusted_proxies:
            raise SetupMistake("LATCHKEY_TRUSTED_PROXIES must name addresses or networks, not *.")
        self._check_client_certificates()
        self._check_traces()
        self._check_request_ids()
        if self.is_https and (
            self.argon2_memory_kib < ARGON2_FLOOR_KIB or self.argon2_time_cost < 2
        ):
            raise SetupMistake(
                f"Argon2id needs at least {ARGON2_FLOOR_KIB} KiB and 2 passes (OWASP):"
                " LATCHKEY_ARGON2_MEMORY_KIB, LATCHKEY_ARGON2_TIME_COST."
            )
        held = self.argon2_slots + self.argon2_queue + UPSTREAM_THREADS
        if held > self.threads - SPARE_THREADS:
            raise SetupMistake(
                f"LATCHKEY_THREADS must be at least {held + SPARE_THREADS}: as many as"
                f" LATCHKEY_ARGON2_SLOTS, LATCHKEY_ARGON2_QUEUE, {UPSTREAM_THREADS} that wait for"
                f" other providers, and {SPARE_THREADS} that neither stops."
            )
        self._check_signing_keys()
        if not all(parseaddr(self.mail_from)[1].partition("@")):
            raise SetupMistake("LATCHKEY_MAIL_FROM must have an address like no-reply@example.com.")

    def __hash__(self) -> int:
        """By one of many, since what is kept by settings is looked up at each request."""
        return hash(self.issuer)

    @property
    def sends_texts(self) -> bool:
        """Whether there is somebody who sends them, or the demo's inbox."""
        return bool(self.sms_url) or self.demo_inbox

    @property
    def is_https(self) -> bool:
        """Whether browsers reach us by TLS; decides cookie names and `Secure`."""
        return self.issuer.startswith("https://")

    @property
    def relying_party_id(self) -> str:
        """The name that passkeys are made for (WebAuthn Level 3 section 5.1.3). Empty for an issuer
        that is an address: browsers make none for one."""
        host = urlsplit(self.issuer).hostname or ""
        return self.webauthn_rp_id or ("" if _is_address(host) else host)

    @property
    def relying_party_origins(self) -> tuple[str, ...]:
        """Where passkeys may be used, as browsers write origins."""
        listed = [origin.strip() for origin in self.webauthn_origins.split(",")]
        return tuple(filter(None, listed)) or tuple(filter(None, [origin_of(self.issuer)]))

    @property
    def reachable_networks(self) -> Networks:
        """Beside the internet, for what others have us ask."""
        listed = (each.strip() for each in self.outgoing_networks.split(","))
        return tuple(ip_network(each) for each in listed if each)

    def _check_signing_keys(self) -> None:
        if self.signing_key_max_age < self.signing_key_lead:
            raise SetupMistake(
                "LATCHKEY_SIGNING_KEY_MAX_AGE must be at least LATCHKEY_SIGNING_KEY_LEAD."
            )
        if self.signing_key_lead <= self.jwks_max_age:
            raise SetupMistake(
                "LATCHKEY_SIGNING_KEY_LEAD must be longer than LATCHKEY_JWKS_MAX_AGE: a key has to"
                " be known to every product before it signs, and each process learns of it within"
                " a second."
            )

    def _check_client_certificates(self) -> None:
        names = (self.client_certificate_header, self.client_certificate_verified_header)
        if not all(re.fullmatch(r"[A-Za-z0-9]*", name) for name in names):
            # WSGI tells X-Cert and X_Cert by one name, and a proxy that sets one may pass the other
            raise SetupMistake(
                "LATCHKEY_CLIENT_CERTIFICATE_… must be names of headers without a hyphen: letters"
                " and digits."
            )
        if names[0] and not self.trusted_proxies:
            raise SetupMistake(
                "LATCHKEY_CLIENT_CERTIFICATE_HEADER is believed from proxies alone that"
                " LATCHKEY_TRUSTED_PROXIES names."
            )
        if not names[0] and (names[1] or self.mtls_url):
            raise SetupMistake("LATCHKEY_CLIENT_CERTIFICATE_HEADER has to say who tells of them.")
        is_plain = re.fullmatch(r"https://[A-Za-z0-9.:\[\]-]+", self.mtls_url)
        if self.mtls_url and not (is_plain and origin_of(self.mtls_url)):
            raise SetupMistake(f"LATCHKEY_MTLS_URL must be an https origin: {self.mtls_url!r}")

    def _check_request_ids(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9-]*", self.request_id_header):
            raise SetupMistake("LATCHKEY_REQUEST_ID_HEADER must be the name of a header.")
        if self.request_id_header and not self.trusted_proxies:
            raise SetupMistake(
                "LATCHKEY_REQUEST_ID_HEADER is believed from proxies alone that"
                " LATCHKEY_TRUSTED_PROXIES names."
            )

    def _check_traces(self) -> None:
        if self.traces not in WAYS:
            raise SetupMistake("LATCHKEY_TRACES must be empty, own or joined.")
        if self.traces == JOINED and not self.trusted_proxies:
            raise SetupMistake(
                "LATCHKEY_TRACES=joined believes the proxies alone that LATCHKEY_TRUSTED_PROXIES"
                " names."
            )

    def _check_networks(self) -> None:
        try:
            _ = self.reachable_networks
        except ValueError as problem:
            raise SetupMistake(f"LATCHKEY_OUTGOING_NETWORKS: {problem}.") from None

    def _check_relying_party(self) -> None:
        party = self.relying_party_id
        if (self.webauthn_rp_id or self.webauthn_origins) and not _is_name(party):
            raise SetupMistake(f"LATCHKEY_WEBAUTHN_RP_ID must be a domain name: {party!r}")
        for origin in self.relying_party_origins if party else ():
            if not _is_origin_of(party, origin):
                raise SetupMistake(
                    f"LATCHKEY_WEBAUTHN_ORIGINS and LATCHKEY_WEBAUTHN_RP_ID: {origin!r} is no https"
                    f" origin (http on localhost only) at or below {party!r}."
                )


def check_issuer(issuer: str) -> None:
    """An issuer is an https origin, http on loopback only (OpenID Connect Discovery section 3)."""
    parts = urlsplit(issuer) if origin_of(issuer) else None
    if parts is None or parts.query or parts.fragment or parts.path or "@" in parts.netloc:
        raise SetupMistake(f"LATCHKEY_ISSUER must be an origin like https://id.example: {issuer!r}")
    is_safe = parts.scheme == "https" or parts.hostname in LOOPBACK_HOSTS
    if not (is_safe and issuer.startswith(parts.scheme)):
        raise SetupMistake(f"LATCHKEY_ISSUER must be https (http only on loopback): {issuer!r}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_name(host: str) -> bool:
    """A domain with a dot in it, or `localhost`: never a whole top-level domain."""
    labels = host.split(".")
    is_written_so = all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", each) for each in labels)
    return is_written_so and not _is_address(host) and (len(labels) > 1 or host == "localhost")


def _is_origin_of(party: str, origin: str) -> bool:
    if origin_of(origin) != origin:
        return False
    parts = urlsplit(origin)
    is_secure = parts.scheme == "https" or parts.hostname == "localhost"
    return is_secure and f".{parts.hostname}".endswith(f".{party}")


def _check_range_url(url: str) -> None:
    """https, http on loopback only: whoever listens would learn which lists we read."""
    parts = urlsplit(url) if origin_of(url) else None
    if parts is None or (parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS):
        raise SetupMistake(f"LATCHKEY_COMPROMISED_RANGE_URL must be https: {url!r}")


def _check_smtp_url(url: str) -> None:
    """Never shown: there is a password in it."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise SetupMistake(
            "LATCHKEY_SMTP_URL must be like smtps://user:password@mail.example.com:465."
        ) from None


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read `LATCHKEY_<NAME>` for each field; an unknown name or a bad value is refused. Of what is
    secret, `LATCHKEY_<NAME>_FILE` may name the file that holds it."""
    known = {PREFIX + field.name.upper(): field for field in fields(Settings)}
    secret = [name for name, field in known.items() if not field.repr]
    environment = _with_files_read(environment, secret)
    unknown = sorted(n for n in environment if n.startswith(PREFIX) and n not in known)
    if unknown:
        raise SetupMistake(f"Unknown setting: {', '.join(_with_likely(n, known) for n in unknown)}")
    values = {
        field.name: _typed(name, str(field.type), environment[name])
        for name, field in known.items()
        if name in environment
    }
    return Settings(**values)  # type: ignore[arg-type]  # each value has its field's type


def _with_likely(name: str, known: Iterable[str]) -> str:
    """With the one that was meant, most likely."""
    own = name.removeprefix(PREFIX).removesuffix(FILE)
    likely = get_close_matches(own, [each.removeprefix(PREFIX) for each in known], 1)
    return f"{name} (did you mean {PREFIX}{likely[0]}?)" if likely else name


def _with_files_read(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    read = dict(environment)
    for name in names:
        file = read.pop(name + FILE, None)
        if file is None:
            continue
        if name in read:
            raise SetupMistake(f"{name} and {name}{FILE} exclude each other.")
        try:
            read[name] = Path(file).read_text()
        except (OSError, ValueError) as problem:
            why = getattr(problem, "strerror", None) or "it is no text"
            raise SetupMistake(f"{name}{FILE}: {file} can't be read: {why}.") from None
    return read


def _typed(name: str, type_name: str, text: str) -> object:
    if type_name == "int":
        if not text.isascii() or not text.isdigit():
            raise SetupMistake(f"{name} must be a whole number, not {text!r}.")
        return int(text)
    if type_name == "bool":
        if text not in ("0", "1"):
            raise SetupMistake(f"{name} must be 0 or 1, not {text!r}.")
        return text == "1"
    if type_name == "Path":
        return Path(text)
    return text.strip()
