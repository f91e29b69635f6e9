"""Sign-in policy at the API."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from idp.directory.acting import Administration
from idp.errors import told
from idp.policies import tenant_policy
from idp.web.context import provider
from idp.web.manage.api import TENANT, Answer, Noun
from idp.web.manage.json_reading import Sent

api = Noun("policy", told("Sign-in policy"))

POLICY = f"{TENANT}/policy"
NEEDS = tenant_policy.PERMISSION


class Policy(Answer):
    """Null follows the platform."""

    session_idle_minutes: int | None
    session_absolute_hours: int | None


class NewPolicy(Sent):
    """All of it: what is left out follows the platform."""

    example: ClassVar[dict[str, Any]] = {"session_idle_minutes": 30}

    session_idle_minutes: int | None = Field(None, ge=1, le=1440)
    session_absolute_hours: int | None = Field(None, ge=1, le=720)


@api.get(POLICY, told("See what the company demands"), needs=NEEDS)
def show(admin: Administration) -> Policy:
    terms = tenant_policy.session_terms(admin, provider().settings)
    return Policy(**{term.limit.name: term.stated for term in terms})


@api.put(POLICY, told("Change what the company demands"), needs=NEEDS, current=show)
def change(admin: Administration, body: NewPolicy) -> Policy:
    fields = {name: "" if value is None else str(value) for name, value in body}
    seen = tenant_policy.digest(admin)
    tenant_policy.change_sessions(admin, provider().settings, seen, fields)
    return show(admin)
