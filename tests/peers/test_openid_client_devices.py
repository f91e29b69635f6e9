"""npm's openid-client where no browser comes back to it: as a device that shows a code, and for a
person whom it names (CIBA). It asks as often as it was told."""

from __future__ import annotations

from tests.machine.provider_process import RunningProvider
from tests.peers.node_process import NodeProcess
from tests.peers.registrations import secret_of
from tests.peers.relying_party import RelyingParty
from tests.peers.visitor import Visitor
from tests.world import DANA, PASSWORD

DECISIONS = ("allow", "deny")


def test_openid_client_signs_in_elsewhere_whom_a_person_allows_and_nobody_else(
    openid_client: NodeProcess, provider: RunningProvider, visitor: Visitor
) -> None:
    device = RelyingParty(openid_client, provider.issuer, "peer-device", method="none")
    shown = [device.call("startDevice", scope="openid email") for _ in DECISIONS]
    for each, decision in zip(shown, DECISIONS, strict=True):
        visitor.answer_device(each["verification_uri_complete"], decision, DANA, PASSWORD)
    hotline = RelyingParty(
        *(openid_client, provider.issuer, "peer-hotline"),
        method="client_secret_basic",
        secret=secret_of("peer-hotline"),
    )
    named = []
    for decision in DECISIONS:
        named.append(hotline.call("startBackchannel", scope="openid email", login_hint=DANA))
        place = visitor.submit(visitor.open(f"{provider.issuer}/account/requests"), decision="look")
        visitor.submit(place, decision=decision)
    allowed, denied, heard, unheard = device.call("poll", told=[*shown, *named])
    assert denied == unheard == {"error": "access_denied"}
    subject = allowed["claims"]["sub"]
    for party, client_id, given in (
        (device, "peer-device", allowed),
        (hotline, "peer-hotline", heard),
    ):
        assert given["claims"]["aud"] == client_id
        person = party.call("userinfo", token=given["access_token"], subject=subject)
        assert person["email"] == DANA
        fresh = party.call("refresh", token=given["refresh_token"])
        assert fresh["claims"]["sub"] == subject
