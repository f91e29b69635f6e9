"""Pictures that others send or name: read by content, bounded, and drawn anew, so that what is kept
and shown is a plain PNG and nothing that hid in the file."""

from __future__ import annotations

import struct
from io import BytesIO

MAX_BYTES = 48 * 1024
MAX_SIDE = 2000
KEPT_SIDE = 256
READ = ("PNG", "JPEG", "WEBP")
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, MemoryError, OverflowError)


def drawn_anew(sent: bytes) -> bytes | None:
    """A PNG of at most KEPT_SIDE pixels a side; None for what is no single picture of READ, or is
    too large. Its size is known from its head, before anything is unpacked."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # ours are fewer, and looked at as early
    if not 0 < len(sent) <= MAX_BYTES:
        return None
    try:
        with Image.open(BytesIO(sent), formats=READ) as picture:
            if max(picture.size) > MAX_SIDE or getattr(picture, "n_frames", 1) != 1:
                return None
            drawn = picture.convert("RGBA")
    except BROKEN:
        return None
    drawn.thumbnail((KEPT_SIDE, KEPT_SIDE))
    clean = Image.new("RGBA", drawn.size)
    clean.paste(drawn)
    kept = BytesIO()
    clean.save(kept, "PNG", optimize=True)
    return kept.getvalue()
