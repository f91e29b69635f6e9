"""Settings: read once, typed, and refused with a reason when they make no sense."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from idp.errors import SetupMistake
from idp.settings import Settings, settings_from


def test_an_empty_environment_gives_the_defaults() -> None:
    assert settings_from({}) == Settings()


def test_each_setting_is_read_from_its_variable() -> None:
    other = {"int": ("61", 61), "bool": ("1", True), "Path": ("/k", Path("/k")), "str": ("x", "x")}
    sound = {
        "issuer": ("https://id.example", "https://id.example"),
        "lockout_threshold": ("7", 7),
        "code_lifetime": ("30", 30),
        "signing_key_lead": ("900", 900),
        "signing_key_max_age": ("86400", 86400),
        "jwks_max_age": ("60", 60),
        "log_level": ("DEBUG", "DEBUG"),
        "traces": ("joined", "joined"),
        "request_id_header": ("X-Request-ID", "X-Request-ID"),
        "second_factor_threshold": ("7", 7),
        "second_factor_pause": ("600", 600),
        "compromised_range_url": ("https://list.example/", "https://list.example/"),
        "outgoing_networks": ("10.0.0.0/8", "10.0.0.0/8"),
        "argon2_slots": ("2", 2),
        "argon2_queue": ("3", 3),
        "client_certificate_header": ("XCert", "XCert"),
        "client_certificate_verified_header": ("XVerify", "XVerify"),
        "mtls_url": ("https://mtls.id.example", "https://mtls.id.example"),
        "webauthn_rp_id": ("localhost", "localhost"),
        "mail_from": ("a@b.example", "a@b.example"),
        "webauthn_origins": ("http://localhost:8010", "http://localhost:8010"),
    }
    for field in fields(Settings):
        text, value = sound.get(field.name) or other[str(field.type)]
        beside = {"LATCHKEY_TRUSTED_PROXIES": "10.0.0.1", "LATCHKEY_THREADS": "99"}
        beside |= {"LATCHKEY_CLIENT_CERTIFICATE_HEADER": "ClientCert"}
        read = settings_from({**beside, f"LATCHKEY_{field.name.upper()}": text})
        assert getattr(read, field.name) == value, field.name


SECRET = ("DATABASE_URL", "REDIS_URL", "SMS_URL", "SMTP_URL")


@pytest.mark.parametrize("name", SECRET)
def test_what_is_secret_may_lie_in_a_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("redis://:pass word@host/0\n")
    read = settings_from({f"LATCHKEY_{name}_FILE": str(tmp_path / "secret")})
    assert getattr(read, name.lower()) == "redis://:pass word@host/0"
    with pytest.raises(SetupMistake, match="exclude each other"):
        settings_from({f"LATCHKEY_{name}_FILE": str(tmp_path / "secret"), f"LATCHKEY_{name}": "x"})


def test_every_setting_that_is_not_shown_may_lie_in_a_file() -> None:
    assert {field.name.upper() for field in fields(Settings) if not field.repr} == set(SECRET)


@pytest.mark.parametrize("content", [None, b"\xff\xfe secret"])
def test_a_file_that_cant_be_read_is_named_and_not_shown(
    content: bytes | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(SetupMistake) as refused:
        settings_from({"LATCHKEY_REDIS_URL_FILE": str(tmp_path / "secret")})
    assert str(refused.value).startswith("LATCHKEY_REDIS_URL_FILE: ")
    assert "can't be read: " in str(refused.value)
    assert "\\xff" not in str(refused.value)


def test_what_is_no_secret_lies_in_no_file(tmp_path: Path) -> None:
    with pytest.raises(SetupMistake, match="Unknown setting: LATCHKEY_ISSUER_FILE"):
        settings_from({"LATCHKEY_ISSUER_FILE": str(tmp_path / "issuer")})


def test_other_variables_are_none_of_its_business() -> None:
    assert settings_from({"PATH": "/bin", "XLATCHKEY_ISSUER": "x"}) == Settings()


@pytest.mark.parametrize("name", ["LATCHKEY_ISUER", "LATCHKEY_", "LATCHKEY_issuer"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(SetupMistake, match=name):
        settings_from({name: "x"})


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1_000", " 8", "0x10", "٢", "²", "ten"])
def test_a_number_is_written_in_plain_digits(text: str) -> None:
    with pytest.raises(SetupMistake, match="LATCHKEY_WORKERS must be a whole number"):
        settings_from({"LATCHKEY_WORKERS": text})


@pytest.mark.parametrize("text", ["", "true", "yes", "2", " 1", "on"])
def test_a_switch_is_0_or_1(text: str) -> None:
    with pytest.raises(SetupMistake, match="LATCHKEY_DEMO_INBOX must be 0 or 1"):
        settings_from({"LATCHKEY_DEMO_INBOX": text})


@pytest.mark.parametrize(
    "issuer",
    [
        "https://id.example",
        "https://id.example:8443",
        "http://localhost:8000",
        "http://127.0.0.1",
        "http://[::1]:8000",
    ],
)
def test_an_issuer_is_an_https_origin_or_on_loopback(issuer: str) -> None:
    assert settings_from({"LATCHKEY_ISSUER": issuer}).issuer == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "id.example",
        "http://id.example",
        "http://localhost.example",
        "http://127.0.0.2",
        "http://10.0.0.1:8000",
        "ftp://localhost",
        "https://",
        "https://id.example/",
        "https://id.example/tenant",
        "https://id.example?a=b",
        "https://id.example#f",
        "https://user@id.example",
        "https://user:password@id.example",
        "javascript:alert(1)",
        "https://id.example:port",
        "https://id.example:99999",
        "HTTPS://id.example",
        "https://[::1",
    ],
)
def test_any_other_issuer_is_refused(issuer: str) -> None:
    with pytest.raises(SetupMistake, match="LATCHKEY_ISSUER"):
        settings_from({"LATCHKEY_ISSUER": issuer})


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("LOCKOUT_THRESHOLD", ("3", "10"), ("2", "11", "0")),
        ("LOCKOUT_DURATION", ("60", "3600"), ("59", "3601", "0")),
        ("SECOND_FACTOR_THRESHOLD", ("3", "10"), ("2", "11", "0")),
        ("SECOND_FACTOR_PAUSE", ("60", "3600"), ("59", "3601", "0")),
        ("CODE_LIFETIME", ("1", "60"), ("0", "61")),
        ("SIGNING_KEY_LEAD", ("31",), ("30", "0")),
        ("SIGNING_KEY_MAX_AGE", ("600",), ("599", "0")),
        ("JWKS_MAX_AGE", ("599",), ("600",)),
        ("ACCESS_TOKEN_LIFETIME", ("60", "3600"), ("59", "3601")),
        ("ARGON2_QUEUE", ("0", "5"), ("6", "99")),
        ("ARGON2_SLOTS", ("1",), ("2", "99")),
        ("THREADS", ("12", "99"), ("11", "8", "0")),
        ("LOG_LEVEL", ("WARNING",), ("warning", "ALL", "")),
        ("TRUSTED_PROXIES", ("", "10.0.0.1"), ("*", "10.0.0.1,*")),
        ("SMTP_URL", ("", "smtp://mail", "smtps://a:b@[::1]:465"), ("smtp://a:99999", "smtp://[")),
        ("COMPROMISED_RANGE_URL", ("https://a/",), ("https://a:b/", "http://a/", "https://[")),
        ("MAIL_FROM", ("a@b.example", "Fish & Sons <a@b>"), ("", "Fish", "a@", "Fish <@b>")),
    ],
)
def test_a_value_that_would_weaken_the_provider_is_refused(
    name: str, good: tuple[str, ...], bad: tuple[str, ...]
) -> None:
    for text in good:
        settings_from({f"LATCHKEY_{name}": text})
    for text in bad:
        with pytest.raises(SetupMistake):
            settings_from({f"LATCHKEY_{name}": text})


@pytest.mark.parametrize("weak", ["ARGON2_MEMORY_KIB", "ARGON2_TIME_COST"])
def test_cheap_passwords_are_for_loopback_alone(weak: str) -> None:
    settings_from({f"LATCHKEY_{weak}": "1"})
    with pytest.raises(SetupMistake, match="Argon2id"):
        settings_from({f"LATCHKEY_{weak}": "1", "LATCHKEY_ISSUER": "https://id.example"})


def test_settings_never_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().issuer = "https://evil.example"  # type: ignore[misc]


def test_the_scheme_of_the_issuer_decides_what_cookies_are_called() -> None:
    assert Settings(issuer="https://id.example").is_https
    assert not Settings(issuer="http://localhost:8000").is_https


@pytest.mark.parametrize(
    ("issuer", "party", "origin"),
    [
        ("http://localhost:8000", "localhost", "http://localhost:8000"),
        ("https://id.example", "id.example", "https://id.example"),
        ("https://ID.example:443", "id.example", "https://id.example"),
        ("https://id.example:8443", "id.example", "https://id.example:8443"),
    ],
)
def test_passkeys_are_made_for_the_host_of_the_issuer(issuer: str, party: str, origin: str) -> None:
    settings = Settings(issuer=issuer)
    assert settings.relying_party_id == party
    assert settings.relying_party_origins == (origin,)


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8000", "http://[::1]:8000"])
def test_no_passkeys_are_made_for_an_address(issuer: str) -> None:
    assert Settings(issuer=issuer).relying_party_id == ""


@pytest.mark.parametrize(
    ("party", "origins"),
    [
        ("example.com", ""),
        ("example.com", "https://id.example.com, https://www.example.com:8443"),
        ("id.example.com", "https://id.example.com"),
    ],
)
def test_passkeys_can_be_made_for_a_domain_above(party: str, origins: str) -> None:
    settings = Settings(
        issuer="https://id.example.com", webauthn_rp_id=party, webauthn_origins=origins
    )
    assert settings.relying_party_id == party
    assert len(settings.relying_party_origins) == max(1, len(origins.split()))


@pytest.mark.parametrize(
    ("party", "origins"),
    [
        ("com", ""),
        ("127.0.0.1", ""),
        ("example.com", "https://badexample.com"),
        ("example.com", "https://example.com.evil.example"),
        ("example.com", "http://id.example.com"),
        ("example.com", "https://id.example.com/"),
        ("example.com", "https://id.example.com:443"),
        ("example.com", "https://ID.example.com"),
        ("other.example.com", ""),
        ("Example.com", ""),
        ("https://example.com", ""),
        ("", "https://badexample.com"),
        ("", "https://id.example.com:port"),
        ("", "https://user@id.example.com"),
        ("", "https://[::1"),
    ],
)
def test_passkeys_are_made_for_no_domain_of_others(party: str, origins: str) -> None:
    with pytest.raises(SetupMistake, match="LATCHKEY_WEBAUTHN"):
        Settings(issuer="https://id.example.com", webauthn_rp_id=party, webauthn_origins=origins)
