"""What methods add up to, and what a client is told of it."""

from __future__ import annotations

import pytest

from idp.policies import assurance
from idp.policies.assurance import Proof

REACHED = {
    "nothing": ("", ""),
    "a second factor alone": ("totp", ""),
    "a password": ("password", "aal1"),
    "a password and an app": ("password totp", "aal2"),
    "a password and a recovery code": ("password recovery", "aal2"),
    "a password and a code by SMS": ("password sms", "aal1"),
    "a password and a code by e-mail": ("password email", "aal1"),
    "a password and codes by both": ("password sms email", "aal1"),
    "a password and a security key": ("password security_key", "phr"),
    "a security key alone": ("security_key", ""),
    "a passkey": ("passkey", "phr"),
    "a passkey that has lapsed": ("lapsed_passkey", "aal1"),
    "a lapsed passkey and an app": ("lapsed_passkey totp", "aal2"),
}


@pytest.mark.parametrize(("methods", "acr"), REACHED.values(), ids=REACHED.keys())
def test_the_class_that_methods_reach(methods: str, acr: str) -> None:
    assert assurance.achieved(methods.split()) == acr


TOLD = {
    "password": ["pwd"],
    "password totp": ["mfa", "otp", "pwd"],
    "password recovery": ["mfa", "otp", "pwd"],
    "password email": ["mfa", "otp", "pwd"],
    "password sms": ["mfa", "pwd", "sms"],
    "password security_key": ["mfa", "pop", "pwd"],
    "passkey": ["mfa", "pop", "user"],
    "lapsed_passkey": ["pop"],
}


@pytest.mark.parametrize(("methods", "amr"), TOLD.items())
def test_the_methods_as_a_client_reads_them(methods: str, amr: list[str]) -> None:
    assert assurance.amr(methods.split()) == amr


@pytest.mark.parametrize(
    ("methods", "wanted", "told"),
    [
        ("passkey", "", "phr"),
        ("passkey", "aal2", "aal2"),
        ("passkey", "aal1 aal2", "aal2"),
        ("password totp", "phr aal1", "aal1"),
        ("password totp", "aal1 aal2", "aal2"),
        ("password", "aal2", "aal1"),
        ("password totp", "urn:gold", "aal2"),
    ],
)
def test_a_client_finds_its_own_word_and_never_more_than_was_reached(
    methods: str, wanted: str, told: str
) -> None:
    assert assurance.reported(methods.split(), wanted.split()) == told


def test_what_lapses_is_the_second_factor() -> None:
    proofs = {"password": Proof(10.0), "totp": Proof(20.0, 5.0), "sms": Proof(30.0, 6.0)}
    assert assurance.lasting(proofs, 10.0) == proofs
    assert set(assurance.lasting(proofs, 20.5)) == {"password", "sms"}
    assert assurance.lasting({"passkey": Proof(10.0, 1.0)}, 11.0) == {
        "lapsed_passkey": Proof(10.0, 1.0)
    }


def test_a_second_factor_makes_no_sign_in_younger() -> None:
    assert assurance.auth_time({"password": Proof(10.0), "totp": Proof(20.0)}) == 10.0
    assert assurance.auth_time({"password": Proof(10.0), "passkey": Proof(20.0)}) == 20.0


def test_proofs_are_read_as_they_were_written() -> None:
    proofs = {"password": Proof(10.5), "totp": Proof(20.25, 5.0)}
    assert assurance.from_text(assurance.to_text(proofs)) == proofs
