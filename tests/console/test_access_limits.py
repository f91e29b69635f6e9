"""How much a company may have waiting for the operators at a time."""

from __future__ import annotations

import pytest

from idp.directory import access_requests, asking
from idp.directory.acting import Mistake
from tests.console.access_story import Story
from tests.world import AMARA, DANA, HANA, World


def test_a_company_has_no_more_undecided_requests_than_it_may(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided, or taken back, makes room; what another company asks takes none."""
    monkeypatch.setattr(access_requests, "MOST_UNDECIDED", 2)
    Story(either_world).ask(by=HANA, slug="harbor", email=HANA, company="Northwind")
    draft = Story(either_world).ask(company="Some Company")
    sent = Story(either_world).ask().submit()
    assert_there_is_no_room(either_world)
    draft.withdraw()
    Story(either_world).ask(email=DANA)
    assert_there_is_no_room(either_world)
    sent.approve()
    Story(either_world).ask(email=AMARA)
    assert_there_is_no_room(either_world)
    Story(either_world, sent.id).set_up()


def assert_there_is_no_room(world: World) -> None:
    with pytest.raises(Mistake) as refused:
        Story(world).ask(company="One Company More")
    assert refused.value.errors == {"company": asking.TOO_MANY}


def test_the_sentence_says_how_many_they_are() -> None:
    assert f" {access_requests.MOST_UNDECIDED} " in asking.TOO_MANY
