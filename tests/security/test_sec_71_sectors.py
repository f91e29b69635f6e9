"""S71: what is at a `sector_identifier_uri` is asked for with every guard, and decides who may
join a sector (OpenID Connect Core section 8.1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.oidc.client_metadata import CIBA, DEVICE_CODE
from tests.security.browsing import reopened
from tests.security.protocol import is_refused
from tests.security.registering import HOSTS, at_own, initial_token, post, registered
from tests.security.strangers_host import Host, hosting
from tests.world import World

URIS = ["https://app.example/cb", "https://one.apps.example/cb"]


@pytest.fixture(scope="module")
def sector() -> Iterator[Host]:
    answers = {
        "/all.json": (200, json.dumps([*URIS, "https://more.example/cb"]).encode()),
        "/some.json": (200, json.dumps(URIS[:1]).encode()),
        "/prefix.json": (200, json.dumps([uri[:-1] for uri in URIS]).encode()),
        "/text.json": (200, json.dumps(" ".join(URIS)).encode()),
        "/object.json": (200, json.dumps(dict.fromkeys(URIS)).encode()),
        "/broken.json": (200, b"["),
        "/gone.json": (404, json.dumps(URIS).encode()),
        "/moved.json": (302, b""),
        "/large.json": (200, json.dumps([*URIS, "x" * 65536]).encode()),
    }
    with hosting(answers, leads_to="/all.json") as host:
        yield host


def joining(world: World, token: str, uri: str, **changed: Any) -> TestResponse:
    members = {"redirect_uris": URIS, "subject_type": "pairwise", "sector_identifier_uri": uri}
    return post(world, token, {**members, **changed})


def test_sec_71_who_is_listed_joins_the_sector(world: World, sector: Host) -> None:
    token = initial_token(world, redirect_hosts=[*HOSTS, "127.0.0.1"])
    assert joining(world, token, f"{sector.origin}/all.json").status_code == 201
    for name in sector.answers.keys() - {"/all.json"}:
        answer = joining(world, token, sector.origin + name)
        assert is_refused(answer, "invalid_client_metadata"), name
    listed = len(sector.asked)
    refused: list[dict[str, Any]] = [
        {"redirect_uris": []},
        {"subject_type": "x"},
        {"scope": "loans.read"},
    ]
    for bad in refused:
        assert joining(world, token, f"{sector.origin}/all.json", **bad).status_code == 400
    for elsewhere in ("http://localhost:1/x", "ftp://127.0.0.1/x", "http://app.example/x"):
        assert joining(world, token, elsewhere).status_code == 400
    assert len(sector.asked) == listed  # nothing is asked for what is refused anyway


def test_sec_71_no_stranger_joins_a_sector_where_nothing_shows_it_to_be_of_it(
    world: World, sector: Host
) -> None:
    """Codes go to the redirect URIs' host alone, but not what a device polls for; and everybody is
    at loopback."""
    grants = ["authorization_code", DEVICE_CODE]
    token = initial_token(world, redirect_hosts=["*"], grant_types=[*grants, CIBA])
    naming = {"redirect_uris": URIS[:1], "grant_types": [CIBA], "subject_type": "pairwise"}
    assert is_refused(post(world, token, naming), "invalid_client_metadata")
    public: dict[str, Any] = {"application_type": "native", "redirect_uris": URIS[:1]}
    for polling in (grants, [DEVICE_CODE]):
        pairwise = {**public, "grant_types": polling, "subject_type": "pairwise"}
        assert is_refused(post(world, token, pairwise), "invalid_client_metadata")
        listed = {**pairwise, "sector_identifier_uri": f"{sector.origin}/all.json"}
        assert is_refused(post(world, token, listed), "invalid_client_metadata")
        assert post(world, token, {**public, "grant_types": polling}).status_code == 201
    for host in ("127.0.0.1", "[::1]", "localhost"):
        native = {**public, "redirect_uris": [f"http://{host}/cb"]}
        everywhere = {**native, "subject_type": "pairwise"}
        assert is_refused(post(world, token, everywhere), "invalid_client_metadata"), host
        assert post(world, token, native).status_code == 201
    own = registered(world, token, subject_type="pairwise")
    assert at_own(world, own, "PUT", {**own_members(own), "grant_types": grants}).status_code == 400


def own_members(told: dict[str, Any]) -> dict[str, Any]:
    """What a client sends to keep what it has."""
    return {name: told[name] for name in ("client_id", "redirect_uris", "subject_type")}


def test_sec_71_it_is_asked_again_at_each_change(world: World, sector: Host) -> None:
    uri = f"{sector.origin}/some.json"
    told = registered(
        world,
        initial_token(world, redirect_hosts=[*HOSTS, "127.0.0.1"]),
        redirect_uris=URIS[:1],
        sector_identifier_uri=uri,
    )
    kept = {"client_id": told["client_id"], "sector_identifier_uri": uri}
    assert at_own(world, told, "PUT", {**kept, "redirect_uris": URIS[:1]}).status_code == 200
    assert at_own(world, told, "PUT", {**kept, "redirect_uris": URIS}).status_code == 400


def test_sec_71_nobody_inside_is_asked(world: World, sector: Host) -> None:
    token = initial_token(world, redirect_hosts=["*"])
    guarded = reopened(world, replace(world.settings, outgoing_networks=""))
    asked = len(sector.asked)
    port = sector.origin.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::1]"):
        answer = joining(guarded, token, f"http://{host}:{port}/all.json")
        assert is_refused(answer, "invalid_client_metadata")
    for inside in ("https://169.254.169.254/x", "https://10.0.0.1/x", "https://[::ffff:7f00:1]/x"):
        assert is_refused(joining(guarded, token, inside), "invalid_client_metadata")
    assert len(sector.asked) == asked
    guarded.held.database.close()


def test_sec_71_those_who_wait_for_clients_are_few(world: World, sector: Host) -> None:
    token = initial_token(world, redirect_hosts=[*HOSTS, "127.0.0.1"])
    asked, turns = len(sector.asked), world.held.turns
    with turns.wait_for("registrations"), turns.wait_for("registrations"):
        assert is_refused(
            joining(world, token, f"{sector.origin}/all.json"), "invalid_client_metadata"
        )
        with turns.wait_for("somebody else"):
            pass
    assert len(sector.asked) == asked
