"""Which domains a company can claim: one form for each, and none that are everybody's."""

from __future__ import annotations

import idna

from idp.errors import told

MAX_LENGTH = 253
NOT_PUBLIC = frozenset(
    ("alt", "arpa", "internal", "invalid", "lan", "local", "localhost", "onion", "home", "corp")
)
# Under these, names belong to different owners (publicsuffix.org has them all: here are those that
# somebody types by mistake; a proof in their DNS is beyond everybody else anyway).
SUFFIXES = frozenset(
    """
    ac.uk co.uk gov.uk ltd.uk me.uk net.uk org.uk plc.uk com.au edu.au gov.au net.au org.au
    co.nz org.nz com.br org.br com.mx com.ar com.co com.pe co.jp or.jp ne.jp ac.jp co.kr or.kr
    com.cn net.cn org.cn com.hk com.tw com.sg co.in org.in gov.in co.id com.my co.za org.za
    com.ng com.tr com.ua co.il com.sa com.eg co.ke com.es org.es com.fr co.it com.pl co.at
    github.io gitlab.io herokuapp.com azurewebsites.net appspot.com netlify.app vercel.app
    pages.dev workers.dev web.app firebaseapp.com blogspot.com wordpress.com
    """.split()  # noqa: SIM905 - more readable than a column of strings
)
FREE_MAIL = frozenset(
    """
    gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com
    aol.com icloud.com me.com mac.com proton.me protonmail.com pm.me gmx.com gmx.de gmx.net
    web.de t-online.de mail.com mail.ru yandex.com yandex.ru qq.com 163.com 126.com sina.com
    naver.com zoho.com fastmail.com tutanota.com hey.com orange.fr laposte.net libero.it
    hotmail.co.uk yahoo.co.uk btinternet.com comcast.net verizon.net att.net
    """.split()  # noqa: SIM905 - more readable than a column of strings
)


def canonical(claimed: str) -> str | None:
    """In the letters of the DNS, small, without the dot at the end (RFC 5891); None for what is no
    domain of at least two labels."""
    name = claimed.strip().removesuffix(".").lower()
    try:
        found = idna.encode(name, uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError):
        return None
    last = found.rpartition(".")[2]
    is_sound = len(found) <= MAX_LENGTH and "." in found and not last.isdigit()
    return found if is_sound else None


def shown(name: str) -> str:
    """As people write it."""
    try:
        return idna.decode(name)
    except (idna.IDNAError, UnicodeError):
        return name


def why_not(name: str) -> str | None:
    """The reason why nobody can claim this domain; None if somebody may."""
    if name.rpartition(".")[2] in NOT_PUBLIC:
        return told("This domain is not in the public DNS, so nobody can prove that it is theirs.")
    if name in SUFFIXES:
        return told("Many owners have names under this one. Enter your own domain.")
    if any(name == each or name.endswith(f".{each}") for each in FREE_MAIL):
        return told("Anybody can have an address at this provider, so it is no company's.")
    return None


def of_address(email: str) -> str | None:
    """The domain of an e-mail address, or None if it has none that could be verified."""
    return canonical(email.rpartition("@")[2])
