"""What a password has to be, and what is wrong with one, in words."""

from __future__ import annotations

from flask_babel import gettext as _

from idp.policies.password_rules import Objection, Rules, Why


def hint(rules: Rules) -> str:
    """Said beside the field, before anything is typed."""
    letters, characters = rules.min_alnum, rules.min_length
    if letters >= characters:
        return str(
            _(
                "At least %(letters)s letters or digits. Spaces and everything else are welcome"
                " too.",
                letters=letters,
            )
        )
    if letters:
        return str(
            _(
                "At least %(num)s characters, and %(letters)s of them letters or digits.",
                num=characters,
                letters=letters,
            )
        )
    return str(_("At least %(num)s characters, of any kind.", num=characters))


def sentence(objection: Objection) -> str:
    """What is wrong, and what to do."""
    number = objection.number
    if objection.why is Why.TOO_LONG:
        return str(_("Choose a shorter password: at most %(bytes)s bytes.", bytes=number))
    if objection.why is Why.TOO_SHORT:
        return str(_("Choose a password of at least %(num)s characters.", num=number))
    if objection.why is Why.TOO_FEW_LETTERS:
        return str(
            _("Choose a password of at least %(letters)s letters or digits.", letters=number)
        )
    return str(_SENTENCES[objection.why]())


_SENTENCES = {
    Why.OWN_WORDS: lambda: _(
        "This is little more than your name, your address, or the name of a company or product."
        " Choose something that has nothing to do with them."
    ),
    Why.KEYBOARD: lambda: _("These are keys that lie side by side. Choose something less regular."),
    Why.REPEATED: lambda: _("This repeats itself. Choose something less regular."),
    Why.SEQUENCE: lambda: _("These letters or digits follow each other. Choose something else."),
    Why.COMMON: lambda: _("This is easy to guess. Add a few words that do not belong together."),
    Why.COMPROMISED: lambda: _(
        "This password is on a list of stolen ones, so others will try it. Choose another."
    ),
    Why.USED_BEFORE: lambda: _("You have used this password before. Choose a new one."),
    Why.LIKE_CURRENT: lambda: _("This is almost your current password. Choose a different one."),
}
