"""One address is one person, however it is spelled (security.md S59)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.directory import domain_names
from idp.directory.users import MAX_EMAIL, canonical_email
from idp.directory.wording import one_line
from idp.senders import Letter, _message
from idp.settings import Settings

AMARA = "amara@northwind.example"


@pytest.mark.parametrize(
    "spelling",
    [
        AMARA,
        " amara@northwind.example\t",
        "AMARA@NORTHWIND.EXAMPLE",
        "Amara@Northwind.Example",
        "\uff41\uff4d\uff41\uff52\uff41@northwind.example",  # full-width letters
        "amara\uff20northwind.example",  # full-width at
        "ama\U0001d42b\U0001d41a@northwind.example",  # mathematical bold
        "\u24d0mara@northwind.example",  # a letter in a circle
        "amara@northwind\u3002example",  # ideographic full stop, as IDNA reads it
        "amara@NORTHW\u2160ND.example",  # roman numeral one
    ],
)
def test_spellings_of_one_address_are_one(spelling: str) -> None:
    assert canonical_email(spelling) == AMARA


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ke\u0301vin@a.example", "k\u00e9vin@a.example"),  # combining or composed
        ("\u212aevin@a.example", "kevin@a.example"),  # Kelvin sign
        ("stra\u00dfe@a.example", "strasse@a.example"),
        ("a@b\u00fccher.example", "a@xn--bcher-kva.example"),
        ("a@B\u00dcCHER.example", "a@xn--bcher-kva.example"),
        ("\ufb01n@a.example", "fin@a.example"),  # a ligature
        ("a@stra\u00dfe.example", "a@xn--strae-oqa.example"),
        ("a@STRA\u00dfE.example.", "a@xn--strae-oqa.example"),
        ("a@a\u3002example\u3002", "a@a.example"),
    ],
)
def test_unicode_gives_nobody_a_second_account(one: str, other: str) -> None:
    assert canonical_email(one) == canonical_email(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("m\u0131ke@a.example", "mike@a.example"),  # dotless i
        ("\u0430mara@a.example", "amara@a.example"),  # Cyrillic a
        ("amara@\u0430.example", "amara@a.example"),
        ("am.ara@a.example", "amara@a.example"),
        ("amara+x@a.example", "amara@a.example"),
        ("amara@a.example", "amara@b.a.example"),
        ("a@stra\u00dfe.example", "a@strasse.example"),  # two owners may have these domains
        ("a@\u03bf\u03b4\u03bf\u03c2.example", "a@\u03bf\u03b4\u03bf\u03c3.example"),  # final sigma
        ("a@\u039f\u0394\u039f\u03a3.example", "a@\u03bf\u03b4\u03bf\u03c2.example"),
    ],
)
def test_look_alikes_stay_different_people(one: str, other: str) -> None:
    first, second = canonical_email(one), canonical_email(other)
    assert first is not None
    assert second is not None
    assert first != second


@pytest.mark.parametrize(
    "claimed",
    [
        "",
        " ",
        "@",
        "amara",
        "amara@",
        "@northwind.example",
        "amara@localhost",
        "amara@.",
        "amara@example.",
        "amara@northwind..example",
        "amara@.northwind.example",
        "a@b@northwind.example",
        "amara@evil.example@northwind.example",
        "amara\uff20evil.example@northwind.example",
        '"amara"@northwind.example',
        '"a@b"@northwind.example',
        "am ara@northwind.example",
        "amara@north wind.example",
        "amara\u00a0@northwind.example",
        "am\u200bara@northwind.example",  # zero-width space
        "am\u200dara@northwind.example",  # zero-width joiner
        "\u202eamara@northwind.example",  # right-to-left override
        "amara\u0000@northwind.example",
        "amara\r\nBcc: x@northwind.example",
        "amara\ud800@northwind.example",  # a lone surrogate
        "amara@" + "a" * 64 + ".example",
        "a" * MAX_EMAIL + "@northwind.example",
    ],
)
def test_what_is_no_address_is_nobody(claimed: str) -> None:
    assert canonical_email(claimed) is None


@pytest.mark.parametrize(
    "domain",
    [
        *("stra\u00dfe.example", "B\u00dcCHER.example.", "\u039f\u0394\u039f\u03a3.example"),
        *("a\u3002example\u3002", "\uff41.example", "xn--strae-oqa.example"),
    ],
)
def test_an_address_is_of_the_domain_that_a_company_proves_by_that_name(domain: str) -> None:
    assert canonical_email(f"a@{domain}") == f"a@{domain_names.canonical(domain)}"


@settings(derandomize=True, deadline=None, database=None, max_examples=300)
@given(st.text(max_size=12), st.text(alphabet="aAéß.-İ。\u00ad", max_size=12))
def test_the_canonical_form_is_its_own_canonical_form(local: str, domain: str) -> None:
    canonical = canonical_email(f"{local}@{domain}.example")
    assert canonical is None or canonical_email(canonical) == canonical


ENCODED = "=?utf-8?q?n=61dia?=@northwind.example"
INJECTED = "=?utf-8?q?Hi=0aContent-Type:text/html=0a=0a<b>?="


def test_what_a_header_would_decode_is_no_address() -> None:
    assert canonical_email(ENCODED) is None


@pytest.mark.parametrize("name", [INJECTED, "=?", "Fish =?utf-8?q?=0d=0a?= Sons"])
def test_nor_a_name(name: str) -> None:
    assert one_line(name, 120) is None


def test_no_subject_is_decoded_and_no_addressee_either() -> None:
    """By the Pythons that write line breaks of an encoded word as they are."""
    letter = Letter(ENCODED, f"Your invitation to {INJECTED}", "Hello")
    message = _message(Settings(), letter, "1", 0.0)
    head, _, body = message.as_bytes().decode().partition("\n\n")
    assert body == "Hello\n"
    assert "\nHi" not in head
    assert head.count("Content-Type:") == 1 + head.count("= ?")
    assert message["To"].addresses[0].addr_spec == ENCODED
