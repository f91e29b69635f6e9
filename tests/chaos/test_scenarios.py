"""Every scenario for a few seconds, one after the other on one town where they can share it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.scenario import Scenario
from chaos.scenarios import scenarios
from chaos.town import Town, town_on_postgres

USERS = 16
SCENARIOS = scenarios()


@pytest.fixture(scope="module")
def shared_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town_on_postgres(tmp_path_factory.mktemp("town"), USERS) as town:
        yield town


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return SCENARIOS[request.param]


@pytest.fixture
def town(scenario: Scenario, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    if type(scenario).town is Scenario.town:
        yield request.getfixturevalue("shared_town")
        return
    (tmp_path / "town").mkdir()
    with scenario.town(tmp_path / "town", USERS) as town:
        yield town


@pytest.mark.parametrize("scenario", SCENARIOS, indirect=True)
def test_what_was_promised_holds_in(scenario: Scenario, town: Town, tmp_path: Path) -> None:
    result = scenario.run(town, scenario.bounded, tmp_path / "run")
    assert not result.wrong, result
    assert result.ok > scenario.bounded.rate
