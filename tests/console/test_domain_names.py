"""What is a domain, and which may be a company's own."""

from __future__ import annotations

import pytest

from idp.directory import domain_names, domains
from idp.directory.acting import Mistake
from tests.console.administering import administering
from tests.console.proving_domains import DOMAINS, save
from tests.world import World


@pytest.mark.parametrize(
    ("claimed", "name"),
    [
        ("Bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.EXAMPLE.", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("faß.example", "xn--fa-hia.example"),
    ],
)
def test_a_domain_has_one_form_in_every_script(claimed: str, name: str) -> None:
    assert domain_names.canonical(claimed) == name


@pytest.mark.parametrize(
    "claimed",
    [
        "",
        "example",
        "com",
        "a b.example",
        "me@northwind.example",
        "https://northwind.example",
        "northwind.example/path",
        "*.northwind.example",
        "_dmarc.northwind.example",
        "-x.example",
        "x..example",
        "192.0.2.1",
        "[2001:db8::1]",
        "xn--a.example",
        "x\u202ey.example",
        ".".join(["a" * 60] * 5) + ".example",
        "a" * 64 + ".example",
    ],
)
def test_what_is_no_domain_is_refused(world: World, claimed: str) -> None:
    with administering(world) as admin, pytest.raises(Mistake) as refused:
        domains.add(admin, claimed)
    assert refused.value.errors == {"domain": "Enter a domain, such as example.com."}


@pytest.mark.parametrize(
    ("claimed", "reason"),
    [
        ("co.uk", "Many owners"),
        ("GitHub.io", "Many owners"),
        ("gmail.com", "Anybody can have an address"),
        ("mail.yahoo.com", "Anybody can have an address"),
        ("server.local", "not in the public DNS"),
        ("2.0.192.in-addr.arpa", "not in the public DNS"),
    ],
)
def test_what_is_everybodys_is_refused_with_the_reason(
    world: World, claimed: str, reason: str
) -> None:
    browser = world.browser()
    answer = save(browser, browser.enter(DOMAINS), domain=claimed)
    assert answer.status_code == 422
    assert reason in answer.text
    assert f'value="{claimed}"' in answer.text
    assert world.run("SELECT count(*) FROM domains") == [(0,)]
