"""What an ID token of another provider says, and of which one it is believed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from idp.federation.identity import BadIdentity, Identity
from tests.machine.upstream.keys import half_hash
from tests.rules.upstream_tokens import ACCESS, KEYS, NONCE, NOW, UPSTREAM, found, signed, told

NO_WORDS = [
    *("", "a\x00b", "\x1b[31m", "a\nb", "\x7f", "\u00e9", "\u200b", "s" * 256),
    *(None, 7, ["x"], {"x": 1}),
]


@pytest.mark.parametrize("alg", KEYS)
def test_it_says_who_somebody_is_there_and_nothing_that_was_not_told(alg: str) -> None:
    right = Identity(
        *(UPSTREAM.issuer, "1001"),
        email=None,
        is_verified=False,
        is_disowned=False,
        name="",
        acr="",
        amr=(),
        auth_time=None,
    )
    assert found(signed(KEYS[alg])) == right
    assert (
        found(signed(KEYS[alg], at_hash=half_hash(ACCESS, alg), azp="ours", aud=["ours"])) == right
    )


@pytest.mark.parametrize("sub", NO_WORDS)
def test_a_subject_is_printable_ascii(sub: object) -> None:
    with pytest.raises(BadIdentity, match="about nobody"):
        told(sub=sub)


def test_a_subject_is_taken_as_it_is_written() -> None:
    for sub in ("s" * 255, " a ~!|", "A"):
        assert told(sub=sub).subject == sub


@pytest.mark.parametrize(
    "wrong",
    [
        *({"iss": iss} for iss in (None, "", f"{UPSTREAM.issuer}/", "https://evil.example", ["x"])),
        *({"aud": aud} for aud in (None, "", [], "theirs", ["ours", "theirs"], ["ours", "ours"])),
        *({"aud": aud} for aud in ([["ours"]], {"ours": 1}, 7)),
        *({"azp": azp} for azp in ("theirs", "", ["ours"], 0, False)),
        *({"nonce": nonce} for nonce in (None, "", "m" * 43, NONCE + "n", NONCE[:-1], [NONCE])),
        *({"at_hash": told} for told in ("", "A" * 22, 7, half_hash("another", "RS256"))),
    ],
    ids=str,
)
def test_one_that_is_not_for_us_and_this_sign_in_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadIdentity):
        told(**wrong)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("iat", (-600, 0, 60), (-600.5, 60.5)),
        ("exp", (-59, 0, 10**9), (-60, -61, -(10**9))),
        ("nbf", (-(10**6), 0, 60), (60.5, 10**6)),
        ("auth_time", (-(10**6), 0, 60), (60.5, 10**6)),
    ],
)
def test_each_time_has_its_bounds(
    name: str, good: tuple[float, ...], bad: tuple[float, ...]
) -> None:
    for seconds in good:
        assert told(**{name: NOW + seconds}).subject == "1001"
    for seconds in bad:
        with pytest.raises(BadIdentity, match="too old, or from the future"):
            told(**{name: NOW + seconds})


@pytest.mark.parametrize("name", ["iat", "exp", "nbf", "auth_time"])
@pytest.mark.parametrize("value", ["1800000000", True, [NOW], {}, ""])
def test_a_time_is_a_number(name: str, value: object) -> None:
    with pytest.raises(BadIdentity, match=f"has no {name}"):
        told(**{name: value})


@pytest.mark.parametrize("name", ["iat", "exp"])
def test_there_are_times_that_have_to_be_there(name: str) -> None:
    with pytest.raises(BadIdentity, match=f"has no {name}"):
        told(**{name: None})


def test_how_and_when_they_signed_in_there() -> None:
    there = told(acr="urn:mace:silver", amr=["pwd", "otp"], auth_time=int(NOW) - 7)
    assert (there.acr, there.amr) == ("urn:mace:silver", ("pwd", "otp"))
    assert there.auth_time == NOW - 7
    assert isinstance(there.auth_time, float)


@pytest.mark.parametrize("value", NO_WORDS)
def test_how_they_signed_in_is_a_word_or_nothing(value: object) -> None:
    assert told(acr=value).acr == ""
    assert told(amr=[value, "pwd"]).amr == ("pwd",)


@pytest.mark.parametrize("amr", ["pwd", {"pwd": 1}, 7, True])
def test_the_methods_are_a_list(amr: object) -> None:
    assert told(amr=amr).amr == ()


@pytest.mark.parametrize(
    ("email", "canonical"),
    [
        ("Nora.Quist@Northwind.Example", "nora.quist@northwind.example"),
        ("nora@nort\uff48wind.example", "nora@northwind.example"),
        *(
            (none, None)
            for none in ("", "nora", "a@b", "a\x00@b.example", "a@b.example,c@d.example")
        ),
        *((none, None) for none in (None, 7, ["nora@northwind.example"])),
    ],
)
def test_the_address_is_told_in_its_one_form_verified_or_not(
    email: object, canonical: str | None
) -> None:
    assert told(email=email).email == canonical
    assert told(email=email, email_verified=True)[2:4] == (canonical, canonical is not None)


@pytest.mark.parametrize("claimed", [None, False, 0, 1, "true", "True", [True], {"x": True}])
def test_an_address_is_verified_by_the_word_true_alone(claimed: object) -> None:
    there = told(email="nora@northwind.example", email_verified=claimed)
    assert (there.email, there.is_verified) == ("nora@northwind.example", False)


def test_a_provider_may_tell_address_and_name_by_other_claims() -> None:
    upstream = replace(UPSTREAM, email_claim="upn", name_claim="display")
    token = signed(email="other@x.example", upn="nora@x.example", name="Other", display="Nora Q")
    there = found(token, upstream=upstream)
    assert (there.email, there.name) == ("nora@x.example", "Nora Q")


@pytest.mark.parametrize("email", [None, "other@x.example"])
def test_what_is_said_to_be_verified_is_the_claim_email_and_no_other(email: str | None) -> None:
    upstream = replace(UPSTREAM, email_claim="upn")
    token = signed(email=email, upn="nora@x.example", email_verified=True)
    assert not found(token, upstream=upstream).is_verified
    token = signed(email="nora@x.example", upn="nora@x.example", email_verified=True)
    assert found(token, upstream=upstream).is_verified


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("  Nora \n Quist ", "Nora Quist"),
        ("No\u0308ra", "N\u00f6ra"),
        ("n" * 120, "n" * 120),
        *((none, "") for none in ("n" * 121, " ", "No\u202era", "a\x00b", None, 7, ["Nora"])),
    ],
)
def test_a_name_is_one_line_or_nothing(value: object, line: str) -> None:
    assert told(name=value).name == line


@pytest.mark.parametrize(
    "domain", [None, "", "evil.example", "Northwind.example", ["northwind.example"]]
)
def test_where_one_company_is_taken_no_other_is(domain: object) -> None:
    upstream = replace(UPSTREAM, hosted_domain="northwind.example")
    assert found(signed(hd="northwind.example"), upstream=upstream)
    assert found(signed(hd=domain)), "and where none is named, all are"
    with pytest.raises(BadIdentity, match="another company"):
        found(signed(hd=domain), upstream=upstream)


def test_google_speaks_for_a_company_by_its_hosted_domain_alone() -> None:
    google = replace(UPSTREAM, issuer="https://accounts.google.com")
    token = signed(iss=google.issuer, hd="northwind.example")
    assert found(token, upstream=google), "the platform's links by a proof of our own"
    companys = replace(google, tenant_id="t")
    with pytest.raises(BadIdentity, match="no hosted domain"):
        found(token, upstream=companys)
    assert found(token, upstream=replace(companys, hosted_domain="northwind.example"))
