"""The provider that sign-in with somebody else's account is tested against: a sound one, until a
test asks for a fault."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from joserfc.errors import InvalidKeyIdError

from relying_parties.base.id_token import check_at_hash
from tests.federation.party import BACK, TIMEOUT, Party, party_of, query_of, sent_to
from tests.machine.upstream import Account, UpstreamProvider, running_upstream
from tests.world import Clock

CODE_SECONDS = 60


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())  # Authlib knows no other


@pytest.fixture
def upstream(clock: Clock) -> Iterator[UpstreamProvider]:
    with running_upstream(BACK, alg="ES256", clock=clock) as provider:
        yield provider


def new_code(party: Party, **parameters: str) -> dict[str, str | None]:
    """What the token endpoint wants to have for it."""
    code = query_of(sent_to(party.start(**parameters)))["code"]
    return {
        "grant_type": "authorization_code",
        "redirect_uri": BACK,
        "code": code,
        "code_verifier": party.verifier,
    }


def ask_token(
    upstream: UpstreamProvider, form: dict[str, str | None], auth: tuple[str, str] | None = None
) -> requests.Response:
    own = (upstream.client_id, upstream.client_secret)
    return requests.post(f"{upstream.issuer}/token", form, auth=auth or own, timeout=TIMEOUT)


def refused(answer: requests.Response) -> tuple[int, str]:
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()["error"]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # of the name EdDSA
@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256", "EdDSA"])
def test_authlib_signs_a_person_in(alg):
    with running_upstream(BACK, alg=alg) as upstream, closing(party_of(upstream)) as party:
        upstream.account = Account("77", "lee@harbor.example", name="Lee Ash", hd="harbor.example")
        tokens = party.tokens(sent_to(party.start()))
        claims, userinfo = party.claims(tokens), party.userinfo(tokens)
        nonce = party.nonce
    person = {
        "sub": "77",
        "email": "lee@harbor.example",
        "email_verified": True,
        "name": "Lee Ash",
        "hd": "harbor.example",
    }
    assert userinfo == person
    assert {**person, "nonce": nonce}.items() <= claims.items()
    endpoints = ("discovery", "authorization", "token", "jwks", "userinfo")
    assert upstream.asked == dict.fromkeys(endpoints, 1)


def test_ed25519_goes_by_its_newer_name_too():
    with running_upstream(BACK, alg="Ed25519") as upstream, closing(party_of(upstream)) as party:
        tokens = party.tokens(sent_to(party.start()))
        claims = party.signed(tokens["id_token"]).claims
    check_at_hash(claims, id_token=tokens["id_token"], access_token=tokens["access_token"])
    assert claims["sub"] == "1001"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_client_gives_its_secret_in_either_way(upstream, method):
    with closing(party_of(upstream, method)) as party:
        assert party.tokens(sent_to(party.start()))["id_token"]
    assert upstream.redemptions[0]["method"] == method


def test_an_account_says_what_it_was_made_to_say_and_what_the_scope_shows(upstream, party):
    upstream.account = Account(acr="aal2", amr=("pwd", "otp"), more={"groups": ["a"], "name": None})
    claims = party.claims(party.tokens(sent_to(party.start())))
    assert (claims["acr"], claims["amr"], claims["groups"]) == ("aal2", ["pwd", "otp"], ["a"])
    assert "name" not in claims
    bare = party.claims(party.tokens(sent_to(party.start(scope="openid"))))
    assert {"email", "email_verified", "name", "hd"}.isdisjoint(bare)


def test_the_parameters_of_a_request_can_be_read(upstream, party):
    sent = query_of(sent_to(party.start(hd="harbor.example", login_hint="lee@harbor.example")))
    asked = upstream.authorizations[-1]
    assert (asked["hd"], asked["login_hint"]) == ("harbor.example", "lee@harbor.example")
    assert (asked["nonce"], asked["state"]) == (party.nonce, sent["state"])


def test_an_answer_names_the_issuer(upstream, party):
    assert query_of(sent_to(party.start()))["iss"] == upstream.issuer
    assert party.metadata["authorization_response_iss_parameter_supported"] is True


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"nonce": ""}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_wrong_authorization_request_is_sent_back_with_its_error(party, changed, error):
    asked = {**query_of(party.start()), **changed}
    answer = requests.get(
        party.metadata["authorization_endpoint"], asked, allow_redirects=False, timeout=TIMEOUT
    )
    sent = query_of(answer.headers["Location"])
    assert (sent["error"], sent["state"]) == (error, party.state)
    assert "code" not in sent


def test_a_parameter_given_twice_is_refused(party):
    assert query_of(sent_to(party.start() + "&nonce=another"))["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changed", [{"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}]
)
def test_nobody_is_sent_to_an_address_that_is_not_the_clients(party, changed):
    asked = {**query_of(party.start()), **changed}
    answer = requests.get(
        party.metadata["authorization_endpoint"], asked, allow_redirects=False, timeout=TIMEOUT
    )
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_a_code_is_good_once(upstream, party):
    form = new_code(party)
    assert ask_token(upstream, form).status_code == 200
    assert refused(ask_token(upstream, form)) == (400, "invalid_grant")


def test_a_code_is_good_for_a_minute(upstream, party, clock):
    early, late = new_code(party), new_code(party)
    clock.move(CODE_SECONDS - 1)
    assert ask_token(upstream, early).status_code == 200
    clock.move(1)
    assert refused(ask_token(upstream, late)) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code": "made-up"}, "invalid_grant"),
        ({"redirect_uri": "http://localhost:8000/another"}, "invalid_grant"),
        ({"code_verifier": "v" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code": None}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_secret": "given in both ways"}, "invalid_request"),
    ],
)
def test_the_token_endpoint_refuses(upstream, party, changed, error):
    assert refused(ask_token(upstream, {**new_code(party), **changed})) == (400, error)


def test_a_client_with_a_wrong_secret_is_refused_and_its_code_is_left(upstream, party):
    form = new_code(party)
    answer = ask_token(upstream, form, ("latchkey-at-upstream", "guessed"))
    assert refused(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert ask_token(upstream, form).status_code == 200


def test_authlib_hears_of_a_refusal(upstream, party):
    back_at = sent_to(party.start())
    party.tokens(back_at)
    with pytest.raises(OAuthError, match="invalid_grant"):
        party.tokens(back_at)


@pytest.mark.parametrize("token", ["", "Bearer made-up"])
def test_userinfo_is_for_those_with_a_token(upstream, token):
    url = f"{upstream.issuer}/userinfo"
    answer = requests.get(url, headers={"Authorization": token}, timeout=TIMEOUT)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_rotated_key_is_gone_and_the_next_one_signs(upstream, party):
    before = party.tokens(sent_to(party.start()))
    kid = upstream.keys[0].kid
    upstream.rotate()
    assert kid not in [key["kid"] for key in party.get(f"{upstream.issuer}/jwks")["keys"]]
    with pytest.raises(InvalidKeyIdError):
        party.claims(before)
    assert party.claims(party.tokens(sent_to(party.start())))["sub"] == "1001"


def test_several_keys_are_published_and_one_signs(upstream, party):
    upstream.publish_another_key()
    upstream.publish_another_key("RS256")
    published = party.get(f"{upstream.issuer}/jwks")["keys"]
    assert [key["alg"] for key in published] == ["ES256", "ES256", "RS256"]
    assert not {"d", "p", "q"} & {name for key in published for name in key}
    assert party.claims(party.tokens(sent_to(party.start())))["sub"] == "1001"


def test_it_goes_away_and_comes_back_at_the_same_address(upstream, party):
    issuer = upstream.issuer
    upstream.down()
    with pytest.raises(requests.ConnectionError):
        party.get(f"{issuer}/jwks")
    upstream.up()
    assert upstream.issuer == issuer
    assert party.claims(party.tokens(sent_to(party.start())))["sub"] == "1001"


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/token", 405)])
def test_what_is_not_there_is_not_answered(upstream, path, status):
    assert requests.get(upstream.issuer + path, timeout=TIMEOUT).status_code == status
