"""How people are told what an audit event is: each tag in a few words, under its subject.

docs/operate.md has the whole sentences; a test fails for a tag that has no words here.
"""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _

from idp import audit_chain
from idp.web.context import catalog

SUBJECTS: dict[str, Any] = {
    "sign_in": _("Signing in"),
    "factor": _("Second factors"),
    "recovery_codes": _("Recovery codes"),
    "second_factor": _("Codes of second factors"),
    "passkey": _("Passkeys"),
    "account": _("Linked accounts"),
    "email": _("E-mail addresses"),
    "profile": _("Profiles"),
    "password": _("Passwords"),
    "session": _("Sessions"),
    "tenant": _("Companies"),
    "consent": _("Consent"),
    "code": _("Codes"),
    "refresh_token": _("Refresh tokens"),
    "token": _("Tokens"),
    "console": _("Console"),
    "client": _("Clients"),
    "logout": _("Signing out"),
    "signing_key": _("Signing keys"),
    "invitation": _("Invitations"),
    "import": _("Imports"),
    "person": _("People"),
    "branding": _("Branding"),
    "domain": _("Verified domains"),
    "role": _("Roles"),
    "product": _("Products"),
    "operator": _("Operators"),
    "access": _("Access of other companies' people"),
    "visit": _("Visits of operators"),
    "policy": _("Sign-in policy"),
    "audit": _("Audit log"),
    "setup": _("Set-up files"),
}
WORDS: dict[str, Any] = {
    "sign_in.succeeded": _("Signed in"),
    "sign_in.failed": _("Sign-in refused"),
    "sign_in.locked": _("Sign-in paused after wrong passwords"),
    "sign_in.unlocked": _("Pause of sign-in lifted"),
    "sign_in.held_up": _("Sign-in held up after many wrong passwords"),
    "sign_in.new_device": _("Signed in with a new browser"),
    "password.made": _("First password set"),
    "password.changed": _("Password changed"),
    "password.reset_asked": _("Another password asked for"),
    "password.reset": _("Password reset by mail"),
    "password.worn_out": _("Password switched off after a hundred wrong ones"),
    "sign_in.refused": _("Product not opened"),
    "factor.enrolled": _("Second factor enrolled"),
    "factor.removed": _("Second factor removed"),
    "recovery_codes.made": _("Recovery codes made"),
    "recovery_codes.used": _("Recovery code used"),
    "second_factor.failed": _("Second factor refused"),
    "second_factor.paused": _("Second factors paused after wrong codes"),
    "second_factor.switched_off": _("Second factor switched off after wrong codes"),
    "passkey.renamed": _("Passkey renamed"),
    "passkey.refused": _("New passkey refused"),
    "passkey.count_fell": _("Passkey refused: it may have been copied"),
    "second_factor.code_sent": _("Code sent"),
    "second_factor.code_withheld": _("Code not sent: too many"),
    "session.ended": _("Session ended"),
    "tenant.chosen": _("Company chosen"),
    "consent.given": _("Consent given"),
    "consent.withdrawn": _("Consent withdrawn"),
    "sign_in.federated_refused": _("Sign-in by another provider refused"),
    "account.linked": _("Account at another provider linked"),
    "account.unlinked": _("Account at another provider unlinked"),
    "email.change_asked": _("Another e-mail address asked for"),
    "email.changed": _("E-mail address changed"),
    "email.given_back": _("Old e-mail address given back"),
    "profile.changed": _("Profile changed"),
    "code.replayed": _("Code used a second time"),
    "refresh_token.replayed": _("Refresh token used a second time"),
    "token.revoked": _("Token revoked"),
    "console.refused": _("Console refused"),
    "client.refused": _("Client refused"),
    "logout.delivered": _("Product told of a sign-out"),
    "logout.undelivered": _("Product not told of a sign-out"),
    "signing_key.made": _("Signing key made"),
    "signing_key.revoked": _("Signing key revoked"),
    "tenant.created": _("Company made"),
    "tenant.suspended": _("Company suspended"),
    "tenant.resumed": _("Company let go on"),
    "tenant.ended": _("Company ended"),
    "tenant.evidence_taken": _("Evidence of an end downloaded"),
    "tenant.evidence_refused": _("Evidence of an end not signed"),
    "invitation.sent": _("Person invited"),
    "invitation.sent_again": _("Invitation sent again"),
    "invitation.revoked": _("Invitation revoked"),
    "invitation.accepted": _("Invitation accepted"),
    "import.uploaded": _("File of people uploaded"),
    "import.started": _("Import started"),
    "import.dropped": _("Import dropped"),
    "import.line_done": _("Line of an import done"),
    "person.roles_changed": _("Roles of a person changed"),
    "person.disabled": _("Person disabled"),
    "person.enabled": _("Person enabled"),
    "person.sessions_ended": _("Sessions of a person ended"),
    "person.second_factors_reset": _("Second factors reset"),
    "person.second_factors_reset_asked": _("Reset of second factors asked for"),
    "person.second_factors_reset_refused": _("Reset of second factors refused"),
    "person.second_factors_reset_elsewhere": _("Second factors reset for another company"),
    "branding.changed": _("Branding changed"),
    "domain.added": _("Domain added"),
    "domain.verified": _("Domain verified"),
    "domain.lost": _("Domain lost"),
    "domain.removed": _("Domain removed"),
    "role.made": _("Role made"),
    "role.changed": _("Role changed"),
    "role.deleted": _("Role deleted"),
    "product.made": _("Product made"),
    "product.changed": _("Product changed"),
    "client.registered": _("Client registered"),
    "client.changed": _("Client changed"),
    "client.disabled": _("Client disabled"),
    "client.enabled": _("Client enabled"),
    "client.secret_rotated": _("Secret of a client renewed"),
    "client.secret_removed": _("Secret of a client removed"),
    "operator.added": _("Operator added"),
    "operator.removed": _("Operator removed"),
    "access.asked": _("Access to another company asked for"),
    "access.submitted": _("Signed form handed in"),
    "access.form_read": _("Signed form read"),
    "access.approved": _("Access approved"),
    "access.refused": _("Access refused"),
    "access.withdrawn": _("Request for access withdrawn"),
    "access.set_up": _("Access set up"),
    "access.ended": _("Access ended"),
    "visit.started": _("Visit of an operator began"),
    "visit.ended": _("Visit of an operator ended"),
    "policy.changed": _("Sign-in policy changed"),
    "policy.people_selected": _("People selected for a second factor"),
    "audit.exported": _("Audit log downloaded"),
    audit_chain.STARTED: _("Audit log of a company began"),
    audit_chain.BROKEN: _("Audit log written to by somebody else"),
    "setup.applied": _("Set-up file applied"),
}


def subjects() -> list[tuple[str, Any, list[tuple[str, Any]]]]:
    """For a choice of them: the beginning that its tags have in common, its name, and its tags."""
    return [
        (
            f"{subject}.",
            name,
            [(tag, words) for tag, words in WORDS.items() if tag.startswith(f"{subject}.")],
        )
        for subject, name in SUBJECTS.items()
    ]


def client_name(client_id: str) -> str:
    """The id itself of a client that is gone."""
    client = catalog().clients.get(client_id)
    return client.client_name if client else client_id
