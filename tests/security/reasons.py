"""Why a check, or a part of one, has no test: nothing of the product could fail it today.

A key is the check's id, with the part that is meant after a colon. Whoever builds what a reason
waits for takes the reason away and writes the test.
"""

from __future__ import annotations

FEDERATION = (
    "Of another provider we take a sign-in: nothing that it says later ends a session of ours."
)

REASONS = {
    "S06: 200 at once on four workers": (
        "Threads in one process prove that the write is conditional; four workers under load are"
        " scenario R15 of the reliability tests."
    ),
    "S07: tenant": (
        "A code names no tenant that a request could change; it is bound to the membership of its"
        " grant, and the rows of S07 take that membership away."
    ),
    "S12: per tenant": (
        "There is one issuer for all companies; which company a token is for is a claim in it,"
        " and that is what S12 tests instead."
    ),
    "S18: another tenant's endpoint": (
        "One token endpoint serves every company, so that there is no other one to try; that a"
        " refresh stays in its company is tested."
    ),
    "S19: a locked user": (
        "The lock is a pause of the password alone (section 4.4), or else a stranger could sign"
        " people out; S19 tests that a refresh goes on, and that a disabled person's does not."
    ),
    "S19: a link to another identity provider": FEDERATION,
    "S31: incoming": FEDERATION,
}
