"""The Spanish: a file for each part of the provider, and each string in one of them alone."""

import re
from collections import Counter
from pathlib import Path

import pytest

SPANISH = Path(__file__).parents[2] / "idp" / "web" / "translations" / "es" / "LC_MESSAGES"
MSGID = re.compile(r'^msgid ((?:".*"\n)+)', re.MULTILINE)
KEEP = 'msgid "Keep it"\nmsgstr "Conservarlo"\n\n'
KEEP_OVER_LINES = 'msgid ""\n"Keep "\n"it"\nmsgstr "Mantenerlo"\n\n'


def test_no_string_is_translated_twice() -> None:
    assert said_twice(SPANISH) == []


@pytest.mark.parametrize(
    ("roles", "access"), [(KEEP, KEEP_OVER_LINES), (KEEP + KEEP, ""), ("", KEEP_OVER_LINES + KEEP)]
)
def test_a_second_translation_would_be_found(tmp_path: Path, roles: str, access: str) -> None:
    (tmp_path / "roles.po").write_text(roles)
    (tmp_path / "access.po").write_text(access)
    assert said_twice(tmp_path) == ["Keep it"]


def said_twice(folder: Path) -> list[str]:
    """Read as text, since what reads catalogs keeps the last of two without a word."""
    times = Counter(
        "".join(re.findall(r'^"(.*)"$', written, re.MULTILINE))
        for path in folder.glob("*.po")
        for written in MSGID.findall(path.read_text())
    )
    del times[""]  # each file's header
    return [string for string, count in times.items() if count > 1]
