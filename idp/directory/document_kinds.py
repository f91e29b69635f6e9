"""What an uploaded document is, by its content alone: a whole PDF, PNG or JPEG, and nothing else.

What a browser says of a file, and its name, decide nothing. A file that two programs would read as
two things (a polyglot), that is cut short, or that would fill a reader's memory, is refused
(security.md S70, S74). Pictures are not decoded and PDFs not interpreted.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from idp.errors import told

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 64_000_000
MAX_UNPACKED = 256 * 1024 * 1024
MAX_READ = 2 * MAX_BYTES  # of packed streams, each byte as often as it is read
PIECE = 1 << 20
HEAD = 2  # bytes of a packed stream (RFC 1950) that tell whether it is one
MOST_IN_A_BYTE = 1032  # that deflate can pack
MAX_SCANS = 64
MAX_PARTS = 10_000  # chunks of a PNG, segments of a JPEG
MAX_STREAMS = 5000
TAIL = 1024
ZIP_TAIL = 65_557  # bytes from the end in which a reader of archives looks for a directory
ARCHIVE_END = b"PK\x05\x06"

PDF_START = b"%PDF-"
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_REFUSED = frozenset({b"acTL", b"zTXt"})  # moving pictures; text that unpacks
JPEG_START = b"\xff\xd8\xff"
JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))
JPEG_SCAN, JPEG_END = 0xDA, 0xD9
_STREAM = re.compile(rb"stream\r?\n")
_PACKED_TWICE = re.compile(rb"/Fl(?:ateDecode)?\s*/Fl")


class Kind(NamedTuple):
    name: str
    content_type: str


PDF = Kind("PDF", "application/pdf")
PNG = Kind("PNG", "image/png")
JPEG = Kind("JPEG", "image/jpeg")


class Unacceptable(Exception):
    """Why a file is not taken, in words for who sent it."""


def kind_of(data: bytes) -> Kind:
    """Raises Unacceptable."""
    if not data:
        raise Unacceptable(told("The file is empty."))
    if len(data) > MAX_BYTES:
        raise Unacceptable(told("The file is larger than 10 MB."))
    if ARCHIVE_END in data[-ZIP_TAIL:]:
        raise Unacceptable(told("The file is also an archive. Scan the form again."))
    if data.startswith(PDF_START):
        return _pdf(data)
    if PDF_START in data[:TAIL]:
        raise Unacceptable(told("The file is two documents at once. Scan the form again."))
    if data.startswith(PNG_START):
        return _png(data)
    if data.startswith(JPEG_START):
        return _jpeg(data)
    raise Unacceptable(told("This is no PDF, PNG or JPEG file."))


def _damaged() -> Unacceptable:
    return Unacceptable(told("The file is damaged or was cut short. Scan the form again."))


def _too_much() -> Unacceptable:
    return Unacceptable(told("The file unpacks to more than a scanned form needs."))


def _more_than_one() -> Unacceptable:
    return Unacceptable(told("Something follows the end of the document. Scan the form again."))


def _pdf(data: bytes) -> Kind:
    """ISO 32000-1 section 7.5: a header first, a cross-reference, and the end at the end."""
    if not re.match(rb"%PDF-[12]\.\d", data) or b"startxref" not in data[-TAIL:]:
        raise _damaged()
    _, end, rest = data.rpartition(b"%%EOF")
    if not end:
        raise _damaged()
    if rest.strip(b"\r\n \t\x00"):
        raise _more_than_one()
    if _PACKED_TWICE.search(data):
        raise _too_much()
    _check_streams(data)
    return PDF


@dataclass
class _Work:
    """What may still be read and unpacked, in bytes, over all streams of a file: heads that overlap
    make us read the same bytes again, and streams that break have been unpacked all the same."""

    to_read: int = MAX_READ
    to_unpack: int = MAX_UNPACKED

    def take(self, read: int, unpacked: int) -> None:
        """Raises Unacceptable."""
        self.to_read -= read
        self.to_unpack -= unpacked
        if self.to_read < 0 or self.to_unpack < 0:
            raise _too_much()


def _check_streams(data: bytes) -> None:
    """All that is packed in it, unpacked piece by piece and thrown away."""
    work = _Work()
    for count, found in enumerate(_STREAM.finditer(data)):
        if count > MAX_STREAMS:
            raise _too_much()
        _unpack(memoryview(data)[found.end() :], work)


def _unpack(packed: memoryview, work: _Work) -> None:
    """To its end, or to where it breaks: what is not packed in this way does so at once."""
    reader, position, size = zlib.decompressobj(), 0, HEAD
    while not reader.eof:
        waiting = reader.unconsumed_tail or packed[position : position + size]
        if not waiting:
            return
        if not reader.unconsumed_tail:
            position, size = position + len(waiting), min(size * 16, 65_536)
            work.take(len(waiting), 0)
        try:
            work.take(0, len(reader.decompress(waiting, PIECE)))
        except zlib.error:
            work.take(0, min(PIECE, MOST_IN_A_BYTE * (len(waiting) - HEAD)))
            return


def _png(data: bytes) -> Kind:
    """PNG section 5: chunks, each with its checksum, from IHDR to IEND, and nothing behind."""
    position, names = len(PNG_START), list[bytes]()
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        name, end = data[position + 4 : position + 8], position + 8 + length
        checksum = data[end : end + 4]
        if len(checksum) < 4 or zlib.crc32(data[position + 4 : end]) != int.from_bytes(checksum):
            raise _damaged()
        if name in PNG_REFUSED:
            raise _too_much()
        if not names:
            _check_png_header(name, data[position + 8 : end])
        names.append(name)
        if len(names) > MAX_PARTS:
            raise _too_much()
        position = end + 4
        if name == b"IEND":
            break
    if not names or names[-1] != b"IEND" or b"IDAT" not in names:
        raise _damaged()
    if position != len(data):
        raise _more_than_one()
    return PNG


def _check_png_header(name: bytes, body: bytes) -> None:
    if name != b"IHDR" or len(body) != 13:
        raise _damaged()
    _check_pixels(int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big"))


def _check_pixels(width: int, height: int) -> None:
    if not width or not height:
        raise _damaged()
    if width * height > MAX_PIXELS:
        raise _too_much()


def _jpeg(data: bytes) -> Kind:
    """ITU T.81 annex B: segments, one frame, its scans, and nothing behind the end."""
    position, has_frame, scans = 2, False, 0
    for _part in range(MAX_PARTS):
        position, marker = _marker(data, position)
        if marker == JPEG_END:
            break
        if marker in JPEG_ALONE:
            position += 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        body = data[position + 4 : position + 2 + length]
        position += 2 + length
        if marker in JPEG_SIZES:
            _check_jpeg_frame(body, has_frame)
            has_frame = True
        if marker == JPEG_SCAN:
            scans += 1
            position = _end_of_scan(data, position)
    else:
        raise _too_much()
    if scans > MAX_SCANS:
        raise _too_much()
    if not has_frame or not scans:
        raise _damaged()
    if position + 2 != len(data):
        raise _more_than_one()
    return JPEG


_MARKER = re.compile(rb"\xff+([^\xff])", re.DOTALL)


def _marker(data: bytes, position: int) -> tuple[int, int]:
    """Where it begins, behind the bytes that may fill the space before it, and which it is."""
    found = _MARKER.match(data, position)
    if not found:
        raise _damaged()
    return found.end() - 2, found[1][0]


def _check_jpeg_frame(body: bytes, has_frame: bool) -> None:
    if len(body) < 5 or has_frame:
        raise _damaged()
    _check_pixels(int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"))


_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def _end_of_scan(data: bytes, position: int) -> int:
    """Where the next marker begins, or the end of what there is: a zero behind FF is a picture's
    own, and RST markers stand inside a scan."""
    found = _SCAN_END.search(data, position)
    return found.start() if found else len(data)
