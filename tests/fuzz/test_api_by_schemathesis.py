"""Somebody else's reading of the API's document, tried at the application itself: what it allows
and much that it doesn't, with all of schemathesis' checks, by whoever may hold a token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.config._checks import NegativeDataRejectionConfig
from schemathesis.generation import GenerationMode
from werkzeug.test import Client

from idp.directory import imports
from idp.endpoints.router import WsgiApp
from idp.web.manage.api import PLATFORM
from tests.console.access_story import SIGNED, Story
from tests.console.administering import administering
from tests.console.calling import Caller, nobody, person, platforms_machine, tenants_machine
from tests.console.operators_tokens import operators_app
from tests.console.test_api_imports_and_branding import picture
from tests.world import AMARA, World

EXAMPLES = 6
REFUSED = ["401", "403", "404", "409", "412", "422", "428", "429"]
CALLERS: dict[str, Callable[[World], Caller]] = {
    "a company's program": tenants_machine,
    "an account admin": lambda world: person(world, AMARA),
    "the platform's program": platforms_machine,
    "an operator": operators_app,
    "nobody": nobody,
}
# Files that are what they say, and some that are not.
FILES = {
    "application/pdf": SIGNED,
    "text/csv": b"email,roles\nnew@northwind.example,agent\n",
    **{f"image/{kind}": picture(form=kind) for kind in ("png", "jpeg", "webp")},
}
for media_type, file in FILES.items():
    schemathesis.openapi.media_type(media_type, st.just(file) | st.binary(max_size=64))

# What is there, so that more is reached than the lack of it.
THERE = {
    "tenant": "SELECT slug FROM tenants WHERE slug = 'northwind'",
    "member": "SELECT m.id FROM memberships m JOIN users u ON u.id = m.user_id"
    " WHERE u.email = 'ben@northwind.example'",
    "role": "SELECT r.id FROM roles r JOIN tenants t ON t.id = r.tenant_id"
    " WHERE t.slug = 'northwind' AND r.key = 'borrower'",
    "company": "SELECT slug FROM tenants WHERE slug = 'northwind'",
    "client_id": "SELECT client_id FROM clients WHERE client_id = 'lms-batch'",
    "key": "SELECT key FROM products WHERE key = 'connections'",
    "node": "SELECT key FROM permissions WHERE key = 'connections.read'",
    "request_id": "SELECT id FROM access_requests",
    "people_import": "SELECT id FROM people_imports",
    "visit_id": "SELECT id FROM operator_visits",
}


def loaded(world: World) -> Any:
    accepted, refused = ["2xx", "304", *REFUSED], ["400", "414", *REFUSED]
    project = ProjectConfig(
        generation=GenerationConfig(allow_x00=False),  # no form can say that we refuse it
        checks=ChecksConfig(
            positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=accepted),
            negative_data_rejection=NegativeDataRejectionConfig(expected_statuses=refused),
        ),
    )
    config = SchemathesisConfig(projects=ProjectsConfig(default=project))
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", world.app, config=config)


class Stage(NamedTuple):
    """A provider to send things to: with what authority, and the names of what is there."""

    app: WsgiApp
    authorities: dict[str, dict[str, str]]
    there: dict[str, str]


def prepared(world: World) -> Stage:
    callers = {who: call(world) for who, call in CALLERS.items()}
    begin_a_visit(callers["an operator"])
    Story(world).ask().submit().approve()
    with administering(world) as admin:
        imports.upload(admin, FILES["text/csv"], "en")
    there = {name: str(world.run(sql)[0][0]) for name, sql in THERE.items()}
    authorities = {who: authority(caller) for who, caller in callers.items()}
    return Stage(world.app, authorities, there)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
@pytest.mark.parametrize("mode", GenerationMode)
def test_the_api_is_what_its_document_says(
    world: World, postgres_world: World, mode: GenerationMode
) -> None:
    """What was made up once is sent by everybody who could have a part in it, on both databases: to
    make it up is what takes long. That tokens are good for their own addresses alone is S76's."""
    stages = [prepared(world), prepared(postgres_world)]
    operations = [each.ok() for each in loaded(world).get_all_operations()]
    assert len(operations) > 80
    for operation in operations:
        if mode is GenerationMode.POSITIVE or has_something_to_get_wrong(operation):
            check(operation, mode, stages)


def begin_a_visit(caller: Caller) -> None:
    """So that there is one to ask for."""
    new = {"reason": "Ticket 4711 again", "minutes": 60}
    assert caller.post("/platform/tenants/northwind/visits", new).status_code == 201


def whose(path: str) -> list[str]:
    if path.removeprefix("/api/v1").startswith(PLATFORM):
        return ["the platform's program", "an operator", "nobody"]
    return ["a company's program", "an account admin", "nobody"]


def authority(caller: Caller) -> dict[str, str]:
    return {"Authorization": f"Bearer {caller.token}"} if caller.token else {}


def has_something_to_get_wrong(operation: Any) -> bool:
    """A header that may be any text can't be wrong."""
    return bool(operation.body or operation.query or operation.path_parameters)


def check(operation: Any, mode: GenerationMode, stages: list[Stage]) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans())
    def one(case: Any, is_there: bool) -> None:
        if mode is GenerationMode.POSITIVE and case.query:
            case.query.pop("cursor", None)  # nobody guesses one
        for stage in stages:
            if is_there:
                there, names = stage.there, case.path_parameters or {}
                case.path_parameters.update({name: there[name] for name in names if name in there})
            send(case, stage)

    one()


def send(case: Any, stage: Stage) -> None:
    for who in whose(case.operation.path):
        case.call_and_validate(
            session=Client(stage.app),
            headers=stage.authorities[who],
            buffered=True,  # a file's answer is closed
        )
