"""Whether the platform is well, at the API."""

from __future__ import annotations

from idp.directory.operating import Operation
from idp.errors import told
from idp.operators import health
from idp.web.context import provider
from idp.web.manage.api import PLATFORM, Answer, Moment, Noun

api = Noun("health", told("Health"))


class Finding(Answer):
    """`fault` says what to mend, null when all is well."""

    name: str
    fault: str | None


class Health(Answer):
    """`waiting` messages are due or will be, the oldest since `waiting_since`; `given_up` ones are
    sent no more. `worker_seen_at` is null if no worker was seen in a week."""

    is_well: bool
    findings: list[Finding]
    waiting: int
    waiting_since: Moment | None
    is_behind: bool
    given_up: int
    worker_seen_at: Moment | None
    is_worker_late: bool


@api.get(f"{PLATFORM}/health", told("See whether the platform is well"), needs="platform.health")
def show(operation: Operation) -> Health:
    load, findings = health.load(operation, provider()), health.examine(provider())
    is_late, is_behind = load.is_worker_late(operation.now), load.is_behind(operation.now)
    has_fault = any(each.fault for each in findings)
    return Health.model_validate(
        {
            **load._asdict(),
            "findings": findings,
            "is_behind": is_behind,
            "is_worker_late": is_late,
            "is_well": not (has_fault or is_late or is_behind or load.given_up),
        }
    )
