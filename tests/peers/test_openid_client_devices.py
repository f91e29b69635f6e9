"""npm's openid-client as a device: it shows a code, and asks as often as it was told."""

from tests.machine.provider_process import RunningProvider
from tests.peers.node_process import NodeProcess
from tests.peers.relying_party import OpenidClient
from tests.peers.visitor import Place, Visitor
from tests.world import DANA, PASSWORD


def asked(visitor: Visitor, address: str) -> Place:
    """The question about the device, after its code and a sign-in."""
    place = visitor.open(address)
    place = visitor.submit(place, user_code=place.form_with("user_code").fields["user_code"])
    if "Allow" not in place.text:
        place = visitor.sign_in(place, DANA, PASSWORD)
    return place


def test_openid_client_signs_in_a_device_that_a_person_allows_and_no_other(
    openid_client: NodeProcess, provider: RunningProvider, visitor: Visitor
) -> None:
    device = OpenidClient(openid_client, provider.issuer, "peer-device", method="none")
    told = [device.call("startDevice", scope="openid email") for _ in range(2)]
    for each, decision in zip(told, ("allow", "deny"), strict=True):
        visitor.submit(asked(visitor, each["verification_uri_complete"]), decision=decision)
    allowed, denied = device.call("pollDevices", told=told)
    assert denied == {"error": "access_denied"}
    assert allowed["claims"]["aud"] == "peer-device"
    subject = allowed["claims"]["sub"]
    person = device.call("userinfo", token=allowed["access_token"], subject=subject)
    assert person["email"] == DANA
    fresh = device.call("refresh", token=allowed["refresh_token"])
    assert fresh["claims"]["sub"] == subject
