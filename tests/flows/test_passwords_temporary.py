"""What a temporary password looks like: nothing that could be guessed, or misread (S46)."""

from __future__ import annotations

import math
import re

from idp.credentials import temporary_passwords
from idp.credentials.temporary_passwords import LETTERS


def test_it_has_112_random_bits_and_more() -> None:
    made = {temporary_passwords.make() for _ in range(200)}
    assert len(made) == 200
    for each in made:
        assert re.fullmatch(r"\w{6}(-\w{6}){3}", each), each
        assert set(each) <= {*LETTERS, "-"}
    assert len(set("".join(made))) == len(LETTERS) + 1, "all of them occur"
    assert math.log2(len(set(LETTERS))) * 24 >= 112


def test_no_letter_of_it_is_taken_for_another() -> None:
    assert not set("il1o0") & set(LETTERS)
