"""The row of a grant, and the mark of an access token that was revoked. What they mean is told by
`grant.py`, and what is read with it by `grant_state.py`."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base
from idp.grants.consent import ONE_STANDING


class Grant(Base):
    """`scope` and `amr` are separated by spaces; `claims` is the JSON of what was asked for beyond
    the scope (`GrantState.asked`), and `proofs` of what the person had proven (`assurance`).

    `code_*` until the code is spent, `refresh_*` from then on: `refresh_hash` is the SHA-256 of the
    family's handle and `generation` counts its rotations. `is_offline` survives sign-out.
    `consent_id` names what it rests on, and stays when that is withdrawn. What an operator has for
    the platform rests on no membership, but on the term for which they are one (`User`).

    `jkt` is the key (RFC 9449) that its code is bound to, and from then on the refresh tokens of a
    public client; these may be bound to a certificate too (`x5t`, RFC 8705).

    `provider_key` is of the other provider that its first factor rests on alone, if it does, and
    `vouched_by` of the one that has said who it is, whatever else was proven. A second factor that
    raises and is another provider's alone was `second_factor_by` it, by `second_factor_words`.
    `shown_at` is when the person was seen to prove a first factor, 0 if nobody says, and
    `second_factor_at` when one that raises (`assurance`); they may be older than `auth_time`.
    """

    __tablename__ = "grants"
    __table_args__ = (sa.CheckConstraint(ONE_STANDING, name="one_standing"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.client_id", ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id"), index=True)
    membership_id: Mapped[str | None] = mapped_column(sa.ForeignKey("memberships.id"))
    operator_term: Mapped[str | None]
    session_id: Mapped[str] = mapped_column(sa.ForeignKey("sessions.id"), index=True)
    consent_id: Mapped[str | None]
    scope: Mapped[str]
    is_offline: Mapped[bool]
    auth_time: Mapped[float]
    provider_key: Mapped[str | None]
    vouched_by: Mapped[str | None]
    second_factor_by: Mapped[str | None]
    second_factor_words: Mapped[str | None]
    shown_at: Mapped[float] = mapped_column(server_default=sa.text("0"))
    second_factor_at: Mapped[float | None]
    acr: Mapped[str]
    amr: Mapped[str]
    proofs: Mapped[str] = mapped_column(server_default="{}")
    nonce: Mapped[str | None]
    claims: Mapped[str]
    created_at: Mapped[float]
    code_hash: Mapped[str] = mapped_column(unique=True)
    redirect_uri: Mapped[str | None]
    code_challenge: Mapped[str | None]
    jkt: Mapped[str | None]
    x5t: Mapped[str | None]
    code_expires_at: Mapped[float]
    code_used_at: Mapped[float | None]
    refresh_hash: Mapped[str | None] = mapped_column(unique=True)
    generation: Mapped[int]
    rotated_at: Mapped[float | None]
    grace_uses: Mapped[int]
    idle_expires_at: Mapped[float | None]
    expires_at: Mapped[float] = mapped_column(index=True)
    ended_at: Mapped[float | None]


class RevokedToken(Base):
    """An access token revoked before its time (RFC 7009); kept until it would have expired."""

    __tablename__ = "revoked_tokens"

    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[float] = mapped_column(index=True)
