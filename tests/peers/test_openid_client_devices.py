"""npm's openid-client as a device: it shows a code, and asks as often as it was told."""

from tests.machine.provider_process import RunningProvider
from tests.peers.node_process import NodeProcess
from tests.peers.relying_party import RelyingParty
from tests.peers.visitor import Visitor
from tests.world import DANA, PASSWORD


def test_openid_client_signs_in_a_device_that_a_person_allows_and_no_other(
    openid_client: NodeProcess, provider: RunningProvider, visitor: Visitor
) -> None:
    device = RelyingParty(openid_client, provider.issuer, "peer-device", method="none")
    told = [device.call("startDevice", scope="openid email") for _ in range(2)]
    for each, decision in zip(told, ("allow", "deny"), strict=True):
        visitor.answer_device(each["verification_uri_complete"], decision, DANA, PASSWORD)
    allowed, denied = device.call("pollDevices", told=told)
    assert denied == {"error": "access_denied"}
    assert allowed["claims"]["aud"] == "peer-device"
    subject = allowed["claims"]["sub"]
    person = device.call("userinfo", token=allowed["access_token"], subject=subject)
    assert person["email"] == DANA
    fresh = device.call("refresh", token=allowed["refresh_token"])
    assert fresh["claims"]["sub"] == subject
