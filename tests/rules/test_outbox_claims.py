"""A claim outlasts its batch, so that nothing is sent twice because somebody is slow."""

from __future__ import annotations

from idp import delivery, outbox, outgoing, senders
from idp.sessions import logout


def test_a_message_that_times_out_ends_before_its_claim() -> None:
    """What comes after it in its batch is put off."""
    assert 2 * max(outgoing.DEADLINE, senders.SMTP_TIMEOUT) < outbox.CLAIM_SECONDS


def test_a_logout_token_made_at_the_beginning_of_a_batch_is_good_at_its_end() -> None:
    assert logout.LOGOUT_TOKEN_LIFETIME > outbox.CLAIM_SECONDS


def test_each_wait_is_longer_than_the_one_before() -> None:
    assert list(delivery.RETRY_AFTER) == sorted(set(delivery.RETRY_AFTER))
