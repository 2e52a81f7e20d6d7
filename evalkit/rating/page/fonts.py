"""Fonts that travel in a page, so that every script is drawn and shaped whatever the rater's machine has.

Noto Sans from the package manimgx-fonts (SIL Open Font License, which allows embedding), cut down by fontTools to one script, with
the tables that shape it. That takes a second or two per script, so it is done once and kept in the user's cache.
"""

from __future__ import annotations

import base64
import io
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from evalkit.errors import FileError
from evalkit.files import sha256_file, write_atomic
from evalkit.fonts import font
from evalkit.paths import cache_dir

# Script of the font's file name -> first and last code point of its blocks.
BLOCKS: dict[str, tuple[tuple[int, int], ...]] = {
    "Devanagari": ((0x0900, 0x097F), (0x1CD0, 0x1CFF), (0xA8E0, 0xA8FF)),
    "Bengali": ((0x0980, 0x09FF),),
    "Gurmukhi": ((0x0A00, 0x0A7F),),
    "Gujarati": ((0x0A80, 0x0AFF),),
    "Oriya": ((0x0B00, 0x0B7F),),
    "Tamil": ((0x0B80, 0x0BFF),),
    "Telugu": ((0x0C00, 0x0C7F),),
    "Kannada": ((0x0C80, 0x0CFF),),
    "Malayalam": ((0x0D00, 0x0D7F),),
    "Sinhala": ((0x0D80, 0x0DFF),),
    "Arabic": ((0x0600, 0x06FF), (0x0750, 0x077F), (0x08A0, 0x08FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE)),
}
# Joiners, the dotted circle that a vowel sign alone is on, and the danda, which several scripts share.
SHARED = (0x200C, 0x200D, 0x25CC, 0x0964, 0x0965)


def font_faces(text: frozenset[str]) -> tuple[str, str]:
    """(rules of CSS, names of the families in order) for the scripts of some letters; empty without any."""
    letters = {ord(char) for char in text}
    rules, families = [], []
    for script, blocks in BLOCKS.items():
        if not any(low <= code <= high for code in letters - set(SHARED) for low, high in blocks):
            continue
        ranges = ",".join(f"U+{low:X}-{high:X}" for low, high in (*blocks, (0x200C, 0x200D), (0x25CC, 0x25CC)))
        cut = _cut(script)
        if cut is None:
            continue  # the rater's browser has a font for it, or none
        source = base64.b64encode(cut).decode()
        families.append(f'"Rate {script}"')
        rules.append(
            f"@font-face{{font-family:{families[-1]};src:url(data:font/ttf;base64,{source});font-weight:100 900;unicode-range:{ranges}}}"
        )
    return "\n".join(rules), "".join(f"{family}," for family in families)


@lru_cache(maxsize=16)
def _cut(script: str) -> bytes | None:
    """The font file of one script: read from the cache, or made and kept there where that can be written; None without the font."""
    whole = font(script)
    if whole is None:
        return None
    kept = cache_dir() / "fonts" / f"{script}-{sha256_file(whole)[:16]}.ttf"
    if kept.is_file():
        return kept.read_bytes()
    made = _made(script, whole)
    with suppress(FileError):  # a cache that cannot be written costs time, not the page
        write_atomic(kept, made, "EVALKIT_CACHE=DIR")
    return made


def _made(script: str, whole: Path) -> bytes:
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options(layout_features=["*"], hinting=False, notdef_outline=True, glyph_names=False)
    options.drop_tables += ["meta", "STAT"]
    font = TTFont(whole, recalcTimestamp=False)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[*(code for low, high in BLOCKS[script] for code in range(low, high + 1)), *SHARED, 0x20])
    cutter.subset(font)
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()
