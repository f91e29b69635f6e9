"""A claim outlasts its batch, so that nothing is sent twice because somebody is slow."""

from __future__ import annotations

from idp import delivery, outbox, outgoing, senders
from idp.sessions import logout


def test_a_message_that_times_out_ends_before_its_claim() -> None:
    """What comes after it in its batch is put off."""
    longest = max(outgoing.DEADLINE, senders.SMTP_PATIENCE + senders.SMTP_GOODBYE)
    assert outbox.BATCH_SECONDS + longest < outbox.CLAIM_SECONDS


def test_a_logout_token_made_at_the_beginning_of_a_batch_is_good_at_its_end() -> None:
    assert logout.LOGOUT_TOKEN_LIFETIME > outbox.CLAIM_SECONDS


def test_no_wait_is_shorter_than_the_one_before() -> None:
    assert list(delivery.RETRY_AFTER) == sorted(delivery.RETRY_AFTER)


def test_whatever_was_away_is_asked_again_within_five_minutes_for_an_hour() -> None:
    """So that what has piled up meanwhile is soon gone (security.md R11)."""
    assert max(delivery.RETRY_AFTER) < 300
    assert sum(delivery.RETRY_AFTER) > 3600
