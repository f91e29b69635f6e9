"""What an uploaded file is, by its content alone (S70, S74)."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from idp.directory import document_kinds
from idp.directory.document_kinds import (
    MAX_BYTES,
    MAX_PARTS,
    MAX_PIXELS,
    MAX_READ,
    MAX_UNPACKED,
    Unacceptable,
    kind_of,
)
from tests.console.access_story import SIGNED


def chunk(name: bytes, body: bytes = b"") -> bytes:
    checksum = zlib.crc32(name + body).to_bytes(4, "big")
    return len(body).to_bytes(4, "big") + name + body + checksum


def png(width: int = 1, height: int = 1, *more: bytes) -> bytes:
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + b"".join(more) + chunk(b"IDAT", zlib.compress(b"\x00\x00")) + chunk(b"IEND")


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def jpeg(width: int = 1, height: int = 1, scans: int = 1, comment: bytes = b"") -> bytes:
    frame = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x01\x01\x11\x00"
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56"
    head = b"\xff\xd8" + segment(0xE0, b"JFIF\x00") + (segment(0xFE, comment) if comment else b"")
    return head + segment(0xC0, frame) + scan * scans + b"\xff\xd9"


def pdf_with(stream: bytes, names: bytes = b"/FlateDecode") -> bytes:
    held = b"1 0 obj<</Filter" + names + b">>stream\n" + stream + b"\nendstream endobj\n"
    return b"%PDF-1.7\n" + held + b"startxref\n9\n%%EOF\n"


def packed(size: int) -> bytes:
    """So many zeros (RFC 1950), in blocks of a megabyte, each like the first."""
    packer = zlib.compressobj(9)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (size % 65521 << 16 | 1).to_bytes(4, "big")
    return first[:2] + first[2:] * (size >> 20) + b"\x03\x00" + checksum


SOUND = {"PDF": SIGNED, "PNG": png(), "JPEG": jpeg(), "a PDF, packed": pdf_with(packed(0))}
UNSOUND = {
    "empty": b"",
    "too large": b"%PDF-1.4" + bytes(MAX_BYTES),
    "text": b"hello",
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "GIF": b"GIF89a" + bytes(20),
    "an archive": b"PK\x03\x04" + bytes(40) + b"PK\x05\x06" + bytes(18),
    "a PDF that begins late": b"\n" + SIGNED,
    "a PDF without an end": SIGNED.replace(b"%%EOF", b""),
    "a PDF without its cross-reference": SIGNED.replace(b"startxref", b"startnone"),
    "a PDF of no version": SIGNED.replace(b"%PDF-1.4", b"%PDF-x.y"),
    "a page behind a PDF": SIGNED + b"<html>",
    "a PDF that is an archive too": SIGNED[:-6] + b"PK\x05\x06" + bytes(18) + b"%%EOF\n",
    "a PDF that unpacks to very much": pdf_with(packed(MAX_UNPACKED + (2 << 20))),
    "a PDF packed twice": pdf_with(zlib.compress(packed(0)), b"[/FlateDecode /FlateDecode]"),
    "a PDF packed twice, in short": pdf_with(zlib.compress(packed(0)), b"[/Fl/Fl]"),
    "a PDF of countless streams": pdf_with(b"stream\n" * 6000),
    "a PNG cut short": png()[:-4],
    "a PNG of which a byte is another": png()[:20] + b"\x09" + png()[21:],
    "a PNG that begins with something else": png().replace(b"IHDR", b"JHDR"),
    "a PNG without pixels": b"\x89PNG\r\n\x1a\n" + chunk(b"IEND"),
    "a page behind a PNG": png() + b"<html>",
    "a huge PNG": png(MAX_PIXELS, 2),
    "a PNG of no size": png(0, 1),
    "a PNG that moves": png(1, 1, chunk(b"acTL", bytes(8))),
    "a PNG with packed words": png(1, 1, chunk(b"zTXt", b"a\x00\x00" + packed(1 << 20))),
    "a PNG that is a PDF too": png(1, 1, chunk(b"tEXt", b"a\x00%PDF-1.4")),
    "a PNG of countless chunks": png(1, 1, chunk(b"tEXt") * (MAX_PARTS + 1)),
    "a JPEG of countless markers": jpeg()[:-2] + b"\xff\x01" * MAX_PARTS + b"\xff\xd9",
    "a JPEG cut short": jpeg()[:-1],
    "a JPEG cut shorter": jpeg()[:-3],
    "a JPEG of its beginning alone": b"\xff\xd8\xff",
    "a page behind a JPEG": jpeg() + b"<html>",
    "a huge JPEG": jpeg(65_535, 65_535),
    "a JPEG of no size": jpeg(0, 1),
    "a JPEG of countless scans": jpeg(1, 1, 1000),
    "a JPEG without a scan": jpeg(1, 1, 0),
    "a JPEG that is a PDF too": jpeg(comment=b"%PDF-1.4"),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_document_is_told_by_its_content(name: str) -> None:
    assert kind_of(SOUND[name]).name == name.rsplit(maxsplit=1)[-1] or name.startswith("a PDF")


@pytest.mark.parametrize("name", UNSOUND)
def test_what_is_no_whole_document_or_more_than_one_is_refused(name: str) -> None:
    with pytest.raises(Unacceptable):
        kind_of(UNSOUND[name])


def test_a_document_may_be_as_large_as_the_limit() -> None:
    padding = b"%" + b" " * (MAX_BYTES - len(SIGNED) - 2) + b"\n"
    whole = SIGNED[:9] + padding + SIGNED[9:]
    assert len(whole) == MAX_BYTES
    assert kind_of(whole).name == "PDF"


EMPTY_STORED = b"\x00\x00\x00\xff\xff"  # a deflate block of nothing, and not the last
BROKEN = packed(1 << 20)[:-8] + b"\xff" * 8  # nearly a megabyte comes of it before it breaks
HEAD_IN_A_BLOCK = b"\x00\x09\x00\xf6\xffstream\n\x78\x01"
HEAVY = {
    "heads that overlap": pdf_with(b"\x78\x01" + HEAD_IN_A_BLOCK * 4900 + EMPTY_STORED * 1_900_000),
    "streams that break": pdf_with((b"stream\n" + BROKEN) * 4900),
}


class Work:
    """Counts what the real one is given, and what it gives."""

    read = unpacked = 0

    def __init__(self) -> None:
        self._reader = REAL_READER()

    def decompress(self, packed: bytes, most: int) -> bytes:
        before = len(packed)
        part: bytes = self._reader.decompress(packed, most)
        Work.read += before - len(self._reader.unconsumed_tail)
        Work.unpacked += len(part)
        return part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


REAL_READER = zlib.decompressobj


@pytest.mark.parametrize("name", HEAVY)
def test_a_document_that_is_made_to_be_much_work_is_given_up(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zlib, "decompressobj", Work)
    monkeypatch.setattr(Work, "read", 0)
    monkeypatch.setattr(Work, "unpacked", 0)
    assert len(HEAVY[name]) <= MAX_BYTES
    with pytest.raises(Unacceptable):
        document_kinds._pdf(HEAVY[name])
    assert Work.read <= MAX_READ
    assert Work.unpacked <= MAX_UNPACKED


def test_many_pictures_in_a_document_are_no_such_work() -> None:
    """A scanner's PDF: what is not packed by deflate is told by its first bytes."""
    scans = b"".join(b"stream\n" + jpeg() + b"\nendstream\n" for _ in range(2000))
    assert kind_of(pdf_with(packed(0) + scans + bytes(8 << 20))).name == "PDF"


def test_bytes_that_fill_the_space_before_a_marker_are_skipped_at_once() -> None:
    filled = jpeg().replace(b"\xff\xd9", b"\xff" * (9 << 20) + b"\xd9")
    assert kind_of(filled).name == "JPEG"


@pytest.mark.parametrize("start", [b"%PDF-1.4\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_nothing_but_a_refusal_comes_of_any_bytes(start: bytes) -> None:
    """Whatever follows a sound beginning, at every length that a header may end in."""
    for filling in (b"\x00", b"\xff", b"\xff\xda", b"stream\nx\x9c", b"\xff\xfe\x00"):
        for size in range(64):
            with pytest.raises(Unacceptable):
                kind_of(start + (filling * size)[:size])
