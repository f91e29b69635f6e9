"""What refusals say to people, named here so that the languages know them.

The sentences themselves stand beside the rules that refuse; a test holds the two together.
"""

from __future__ import annotations

from flask_babel import lazy_gettext as _

REFUSAL_WORDS = (
    _("The product sent its name twice."),
    _("The product that sent you here is not known to us."),
    _("The product asked us to send you to an address that it has not registered."),
    _("The request can't be read."),
    _("This sign-in has expired. Go back to the product and start again."),
    _("This form has expired. Go back and try again."),
    _("That session has ended already."),
    _("Sign in to go on."),
    _("Choose whether to allow it or not."),
    _("It is not your fault. Please try again in a moment."),
    _("We are busy. Please try again in a moment."),
    _("The service is unavailable for a moment. Please try again."),
)
