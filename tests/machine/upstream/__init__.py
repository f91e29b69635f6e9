"""Somebody else's OpenID provider, on loopback: the real protocol, and every fault it may have.

with running_upstream(redirect_uri) as upstream:
    upstream.account = Account("1001", "nora@northwind.example", hd="northwind.example")
    upstream.fault = Fault.NONCE_WRONG
    ...  # sign in at upstream.issuer as upstream.client_id with upstream.client_secret
    assert upstream.asked["jwks"] == 1
"""

from tests.machine.upstream.accounts import Account
from tests.machine.upstream.faults import Fault, faults_of
from tests.machine.upstream.provider import UpstreamProvider, running_upstream

__all__ = ["Account", "Fault", "UpstreamProvider", "faults_of", "running_upstream"]
