"""How we reach another provider: what is asked again and what is not, what its answers may be, and
how many of us wait for it at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import orjson
import pytest
from werkzeug.wrappers import Request, Response

from idp.federation import upstream as reaching
from idp.federation.upstream import (
    Away,
    CodeRefused,
    Patience,
    Upstreams,
)
from idp.secret_values import fingerprint
from idp.turns import AT_ONCE, Turns
from tests.federation.party import BACK
from tests.federation.reaching import HERE, LONG, NOW, Reaching, store
from tests.machine.upstream import Fault, UpstreamProvider, running_upstream
from tests.machine.upstream import provider as stand_in
from tests.machine.upstream.documents import metadata

ONLY_POST = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}


@pytest.fixture
def there() -> Iterator[Reaching]:
    with running_upstream(BACK) as provider:
        yield Reaching(provider)


def answers(monkeypatch: pytest.MonkeyPatch, path: str, body: bytes, status: int = 200) -> None:
    """From now on, whatever it is asked there."""
    name, method, _ = stand_in._ENDPOINTS[path]
    made = (name, method, lambda provider, request: Response(body, status))
    monkeypatch.setitem(stand_in._ENDPOINTS, path, made)


def test_metadata_is_an_hour_old_at_most(there: Reaching) -> None:
    for now, asked in [(NOW, 1), (NOW + 3599, 1), (NOW + 3600, 2), (NOW + 7199, 2)]:
        assert there.metadata(now).jwks_uri == f"{there.provider.issuer}/jwks"
        assert there.provider.asked["discovery"] == asked


def test_keys_are_an_hour_old_at_most(there: Reaching) -> None:
    [kid] = there.kids()
    for now, asked in [(NOW, 1), (NOW + 3599, 1), (NOW + 3600, 2), (NOW + 7199, 2)]:
        assert there.kids(kid, now) == [kid]
        assert there.provider.asked["jwks"] == asked


def test_keys_are_fetched_anew_for_an_unknown_one_once_a_minute(there: Reaching) -> None:
    there.kids()
    for now, asked in [(NOW + 59, 1), (NOW + 60, 2), (NOW + 119, 2), (NOW + 120, 3)]:
        there.kids("unknown", now)
        assert there.provider.asked["jwks"] == asked
    there.kids(None, NOW + 1000)
    assert there.provider.asked["jwks"] == 3, "what has no name is not unknown"


def test_keys_that_one_process_has_fetched_are_known_to_the_others(there: Reaching) -> None:
    shared = store()
    one, other = (Reaching(there.provider, Upstreams(shared, HERE, Turns())) for _ in range(2))
    assert one.kids() == other.kids() == there.kids()
    there.provider.rotate()
    [new] = [key.kid for key in there.provider.keys]
    for number, asking in enumerate((one, other, one, other)):
        assert asking.kids(new, NOW + 60) == [new]
        assert asking.kids("unknown", NOW + 60 + number) == [new]
    assert there.provider.asked["jwks"] == 3


def test_keys_that_can_not_be_had_are_not_asked_for_again_within_a_minute(there: Reaching) -> None:
    kept = there.kids()
    there.provider.fault = Fault.JWKS_GARBAGE
    with pytest.raises(Away):
        there.kids("unknown", NOW + 60)
    assert there.kids("unknown", NOW + 119) == kept
    assert there.provider.asked["jwks"] == 2


def test_who_wants_a_key_while_another_asks_for_it_waits_for_that_answer(
    there: Reaching, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = store()
    one, other = (Reaching(there.provider, Upstreams(shared, HERE, Turns())) for _ in range(2))
    assert one.kids() == other.kids()
    there.provider.rotate()
    [new] = [key.kid for key in there.provider.keys]
    looked = Event()
    monkeypatch.setattr(reaching, "sleep", lambda _: looked.set())
    with ThreadPoolExecutor(1) as thread:
        name, method, answer = stand_in._ENDPOINTS["/jwks"]

        def late(provider: UpstreamProvider, request: Request) -> Response:
            waiting.append(thread.submit(other.kids, new, NOW + 60))
            assert looked.wait(LONG)
            return answer(provider, request)

        waiting: list[Future[list[str]]] = []
        monkeypatch.setitem(stand_in._ENDPOINTS, "/jwks", (name, method, late))
        assert one.kids(new, NOW + 60) == [new]
        assert waiting[0].result(LONG) == [new]
    assert there.provider.asked["jwks"] == 2


def test_of_those_who_wait_for_another_to_have_asked_there_are_few(there: Reaching) -> None:
    there.kids()
    there.upstreams._shared.put(f"{name_of(there)} asked", "now", 60.0, NOW + 60)
    assert there.upstreams._shared.count(name_of(there), 60.0, NOW + 60) == 1
    with ExitStack() as held:
        for _ in range(AT_ONCE):
            held.enter_context(there.turns.wait_for(there.provider.issuer))
        with pytest.raises(Away, match="too many"):
            there.kids("unknown", NOW + 60)


def name_of(there: Reaching) -> str:
    return f"keys of {fingerprint(there.provider.issuer)}"


def test_keys_with_what_nests_deeper_than_can_be_written_down_are_kept(
    there: Reaching, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = b"[" * 500 + b"]" * 500
    answers(monkeypatch, "/jwks", b'{"keys": [{"kid": "deep", "more": %b}]}' % deep)
    assert there.kids() == ["deep"]


@pytest.mark.parametrize("fault", [Fault.DISCOVERY_CLOSES, Fault.DISCOVERY_HANGS])
def test_who_does_not_answer_is_not_asked_for_ten_seconds(there: Reaching, fault: Fault) -> None:
    there.provider.fault = fault
    with pytest.raises(Away):
        there.metadata(seconds=0.2)
    there.provider.fault = None
    for now in (NOW, NOW + 9, NOW - 9):
        with pytest.raises(Away, match="just now"):
            there.metadata(now)
    assert there.provider.asked["discovery"] == 1
    assert there.metadata(NOW + 10)


def test_the_trouble_of_one_is_no_other_ones(there: Reaching) -> None:
    with running_upstream(BACK) as other:
        there.provider.down()
        with pytest.raises(Away):
            there.metadata()
        beside = Reaching(other, there.upstreams)
        assert beside.metadata().token_endpoint == f"{other.issuer}/token"
        assert beside.kids() == [other.keys[0].kid]


def test_a_clock_that_was_put_back_is_waited_for_no_longer(there: Reaching) -> None:
    there.provider.fault = Fault.DISCOVERY_CLOSES
    with pytest.raises(Away):
        there.metadata()
    there.provider.fault = None
    assert there.metadata(NOW - 10)


def test_who_answers_badly_is_asked_again(there: Reaching) -> None:
    there.provider.fault = Fault.DISCOVERY_FAILS
    with pytest.raises(Away, match="status 500"):
        there.metadata()
    there.provider.fault = None
    assert there.metadata()


def test_nobody_inside_is_asked(there: Reaching) -> None:
    with pytest.raises(Away, match="NotAllowed"):
        Reaching(there.provider, Upstreams(store(), (), Turns())).metadata()
    assert there.provider.asked["discovery"] == 0


def test_a_step_has_one_time_for_all_that_it_asks(there: Reaching) -> None:
    there.provider.fault, started = Fault.JWKS_HANGS, time.monotonic()
    patience = Patience(0.3)
    there.upstreams.metadata(there.known, patience, NOW)
    with pytest.raises(Away):
        there.upstreams.keys(there.known, None, patience, NOW)
    assert 0.3 <= time.monotonic() - started < reaching.PATIENCE
    assert patience.left < 0.1
    started = time.monotonic()
    with pytest.raises(Away):
        Reaching(there.provider).upstreams.keys(there.known, None, patience, NOW)
    assert time.monotonic() - started < reaching.PATIENCE
    assert Patience().left <= reaching.PATIENCE == 4.0


@pytest.mark.parametrize(("spaces", "is_taken"), [(0, True), (1, False)])
def test_an_answer_of_more_than_64_kib_is_none(
    there: Reaching, monkeypatch: pytest.MonkeyPatch, spaces: int, is_taken: bool
) -> None:
    there.metadata()
    document = orjson.dumps({"keys": [{"kid": "padded"}]})
    answers(monkeypatch, "/jwks", document.ljust(64 * 1024 + spaces))
    if is_taken:
        assert there.kids() == ["padded"]
    else:
        with pytest.raises(Away, match="bytes"):
            there.kids()


@pytest.mark.parametrize("status", [201, 204, 304, 400, 401, 404, 503])
def test_an_answer_is_one_of_status_200(
    there: Reaching, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    there.metadata()
    answers(monkeypatch, "/jwks", b'{"keys": [{"kid": "x"}]}', status)
    with pytest.raises(Away, match=f"status {status}"):
        there.kids()


def test_it_asks_for_json(there: Reaching, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some answer with a form otherwise."""
    name, method, answer = stand_in._ENDPOINTS["/token"]
    heard: list[str] = []

    def hear(provider: UpstreamProvider, request: Request) -> Response:
        heard.append(request.headers["Accept"])
        return answer(provider, request)

    monkeypatch.setitem(stand_in._ENDPOINTS, "/token", (name, method, hear))
    there.exchange()
    assert heard == ["application/json"]


@pytest.mark.parametrize("secret", ["plain", "a:b c%d+e\u00e9&=/"])
@pytest.mark.parametrize("takes_basic", [True, False])
def test_the_secret_is_shown_in_the_way_that_it_takes(
    there: Reaching, monkeypatch: pytest.MonkeyPatch, takes_basic: bool, secret: str
) -> None:
    there.provider.client_secret = secret
    if not takes_basic:
        document = orjson.dumps({**metadata(there.provider.issuer, None), **ONLY_POST})
        answers(monkeypatch, "/.well-known/openid-configuration", document)
    there.provider.client_id = "ours:and more"
    there = Reaching(there.provider)
    assert there.exchange().id_token.count(".") == 2
    way = "basic" if takes_basic else "post"
    assert there.provider.redemptions[-1]["method"] == f"client_secret_{way}"


@pytest.mark.parametrize("missing", ["id_token", "access_token"])
@pytest.mark.parametrize("value", [None, 7, ["a.b.c"], {}])
def test_an_answer_without_both_tokens_is_none(
    there: Reaching, monkeypatch: pytest.MonkeyPatch, missing: str, value: object
) -> None:
    tokens = {"id_token": "a.b.c", "access_token": "x", missing: value}
    answers(monkeypatch, "/token", orjson.dumps(tokens))
    with pytest.raises(Away, match="no tokens"):
        there.exchange("code")


def test_a_code_that_is_none_of_this_sign_in_is_refused_and_no_trouble(there: Reaching) -> None:
    code = there.code()
    assert there.exchange(code)
    for wrong in (code, "never-given"):
        with pytest.raises(CodeRefused):
            there.exchange(wrong)
    assert there.exchange()


def test_another_refusal_is_our_trouble_and_says_which(there: Reaching) -> None:
    with pytest.raises(Away, match="status 401 'invalid_client'"):
        there.exchange(secret="wrong")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "invalid_request"}', "'invalid_request'"),
        (b'{"error": ["invalid_grant"]}', r"\"\['invalid_grant'\]\""),
        (b'{"error": "\\u0000\\u001b\\u00e9"}', r"'\\x00\\x1b\\xe9'"),
        (b'{"error": "' + b"e" * 1000 + b'"}', f"'{'e' * 64}'$"),
        *(
            (none, "''")
            for none in (b"", b"{}", b"[]", b"invalid_grant", b"\xff", b'{"error": ""}')
        ),
    ],
)
def test_a_refusal_that_is_none_of_the_code_is_told_as_it_came(
    there: Reaching, monkeypatch: pytest.MonkeyPatch, body: bytes, said: str
) -> None:
    answers(monkeypatch, "/token", body, 400)
    with pytest.raises(Away, match=f"status 400 {said}"):
        there.exchange("code")
