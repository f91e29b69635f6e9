"""Another Latchkey is an OpenID provider like any other, to those whose people come from it."""

from contextlib import closing

import pytest
from authlib.integrations.base_client import OAuthError

from tests.federation.party import Party, query_of
from tests.peers.visitor import Place, Visitor
from tests.world import DANA, PASSWORD

OURS = "https://first.example/login/upstream/one/return"  # where a visitor stops


@pytest.fixture(scope="module")
def party(second_latchkey):
    issuer, client_id, client_secret = second_latchkey(OURS)
    with closing(Party(issuer, client_id, client_secret, OURS)) as client:
        yield client


def signed_in(party: Party) -> Place:
    with closing(Visitor()) as visitor:
        asked = visitor.open(party.start(login_hint=DANA))
        assert asked.form_with("email", "password").fields["email"] == DANA
        return visitor.sign_in(asked, DANA, PASSWORD)


def test_a_person_of_another_latchkey_signs_in_through_its_pages(party):
    place = signed_in(party)
    sent, issuer = query_of(place.url), party.metadata["issuer"]
    assert place.url.startswith(OURS)
    assert (sent["iss"], sent["state"]) == (issuer, party.state)
    assert issuer.startswith("http://127.0.0.1:")
    tokens = party.tokens(place.url)
    claims, userinfo = party.claims(tokens), party.userinfo(tokens)
    assert (claims["iss"], claims["nonce"]) == (issuer, party.nonce)
    assert claims["sub"] == userinfo["sub"]
    assert (userinfo["email"], userinfo["email_verified"]) == (DANA, True)
    with pytest.raises(OAuthError, match="invalid_grant"):
        party.tokens(place.url)


def test_it_sends_nobody_elsewhere(party):
    with closing(Visitor()) as visitor:
        elsewhere = party.start().replace("first.example", "evil.example")
        place = visitor.open(elsewhere)
    assert (place.is_away, place.status) == (False, 400)
