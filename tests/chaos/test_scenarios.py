"""Every scenario for a few seconds, one after the other on one town where they can share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chaos.scenario import Scenario
from chaos.scenarios import scenarios
from chaos.town import Town

USERS, WORKERS = 8, 2
ELSEWHERE = {
    "R11",  # tests/credentials/test_sending_codes.py
    "R13",  # tests/security/test_fault_13_key_rotation.py
    "R22",  # hours
}
SCENARIOS = {name: each for name, each in scenarios().items() if name not in ELSEWHERE}


Keep = Callable[[Scenario], Town]


@pytest.fixture(scope="module")
def town_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keep]:
    """One for all scenarios that want the same."""
    towns: dict[str, Town] = {}
    with ExitStack() as kept:

        def get(scenario: Scenario) -> Town:
            wanted = f"{scenario.town.__name__} {scenario.settings}"
            if wanted not in towns:
                folder = tmp_path_factory.mktemp("town")
                towns[wanted] = kept.enter_context(scenario.made(folder, USERS, WORKERS))
            return towns[wanted]

        yield get


@pytest.mark.parametrize("number", SCENARIOS)
def test_what_was_promised_holds_in(number: str, town_of: Keep, tmp_path: Path) -> None:
    scenario = SCENARIOS[number]
    result = scenario.run(town_of(scenario), scenario.bounded, tmp_path / "run")
    assert not result.wrong, "\n".join(result.wrong)
    assert result.ok > scenario.bounded.rate
