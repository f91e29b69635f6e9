"""What the API reads: JSON with one meaning, and exactly the declared fields."""

from __future__ import annotations

import pytest
from pydantic import Field

from idp.directory.acting import Mistake
from idp.errors import PageRefusal
from idp.web.manage import json_reading
from idp.web.manage.json_reading import Sent

JSON = "application/json"


class Parcel(Sent):
    name: str
    weight: float = 1.0
    labels: list[str] = Field(default=[])


class Where(Sent):
    limit: int = 50
    search: str = ""


def read(raw: bytes, media_type: str = JSON) -> Parcel:
    return json_reading.body(Parcel, raw, media_type)


def test_what_is_declared_is_read() -> None:
    assert read('{"name": "é", "weight": 2, "labels": ["a"]}'.encode()).name == "é"
    assert json_reading.query(Where, [("limit", "7")]).limit == 7


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b'{"name": "a"} x',
        b'{"name": "a", "name": "b"}',
        b'{"name": "a", "labels": [], "labels": []}',
        b'{"name": "a", "weight": NaN}',
        b'{"name": "a", "weight": -Infinity}',
        b'{"name": "a\\u0000"}',
        b'{"name\\u0000": "a"}',
        b'{"name": "\\ud800"}',
        b'{"name": "a", "weight": ' + b"9" * 5000 + b"}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b"[" * 30_000 + b"]" * 30_000,
    ],
    ids=range(15),
)
def test_what_has_no_one_meaning_is_not_read(raw: bytes) -> None:
    with pytest.raises(PageRefusal) as refused:
        read(raw)
    assert (refused.value.status, refused.value.code) == (400, "invalid_request")


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_another_media_type_is_not_read(media_type: str) -> None:
    with pytest.raises(PageRefusal) as refused:
        read(b'{"name": "a"}', media_type)
    assert refused.value.status == 415


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"{}", "name"),
        (b"[]", "body"),
        (b"null", "body"),
        (b'{"name": 1}', "name"),
        (b'{"name": "a", "weight": "2"}', "weight"),
        (b'{"name": "a", "weight": true}', "weight"),
        (b'{"name": "a", "weight": 1e999}', "weight"),
        (b'{"name": "a", "labels": ["a", 1]}', "labels.1"),
        (b'{"name": "a", "is_operator": true}', "is_operator"),
        (b'{"name": "a", "<script>": true}', "body"),
    ],
)
def test_a_field_that_is_not_as_declared_is_named(raw: bytes, field: str) -> None:
    with pytest.raises(Mistake) as refused:
        read(raw)
    assert list(refused.value.errors) == [field]
    assert refused.value.status == 422


def test_a_mistake_does_not_say_what_was_sent() -> None:
    with pytest.raises(Mistake) as refused:
        read(b'{"name": ["s3cret"], "weight": "s3cret", "labels": "s3cret"}')
    assert "s3cret" not in str(refused.value.errors) + refused.value.detail


def test_a_query_says_each_thing_once_and_nothing_else() -> None:
    with pytest.raises(PageRefusal):
        json_reading.query(Where, [("limit", "1"), ("limit", "2")])
    for sent in (("limit", "many"), ("sort", "password")):
        with pytest.raises(Mistake) as refused:
            json_reading.query(Where, [sent])
        assert list(refused.value.errors) == [sent[0]]
