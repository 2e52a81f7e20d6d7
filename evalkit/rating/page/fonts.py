"""Fonts that travel in a page, so that every script is drawn and shaped whatever the rater's machine has.

Noto Sans from the package manimgx-fonts (SIL Open Font License, which allows embedding), cut down by fontTools to the letters
that the page shows, with the tables that shape them.
"""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

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
# Joiners, the dotted circle that a vowel sign alone stands on, and the danda, which several scripts share.
SHARED = (0x200C, 0x200D, 0x25CC, 0x0964, 0x0965)


def font_faces(text: str) -> tuple[str, str]:
    """(rules of CSS, names of the families in order) for the scripts of a text; empty without any."""
    letters = {ord(char) for char in text}
    rules, families = [], []
    for script, blocks in BLOCKS.items():
        mine = frozenset(code for code in letters if any(low <= code <= high for low, high in blocks))
        if not mine - set(SHARED):
            continue
        ranges = ",".join(f"U+{low:X}-{high:X}" for low, high in (*blocks, (0x200C, 0x200D), (0x25CC, 0x25CC)))
        source = base64.b64encode(_cut(script, mine)).decode()
        families.append(f'"Rate {script}"')
        rules.append(
            f"@font-face{{font-family:{families[-1]};src:url(data:font/ttf;base64,{source});font-weight:100 900;unicode-range:{ranges}}}"
        )
    return "\n".join(rules), "".join(f"{family}," for family in families)


@lru_cache(maxsize=64)
def _cut(script: str, letters: frozenset[int]) -> bytes:
    import manimgx_fonts
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options(layout_features=["*"], hinting=False, notdef_outline=True, glyph_names=False)
    options.drop_tables += ["meta"]
    font = TTFont(Path(manimgx_fonts.__file__).parent / f"NotoSans{script}[wght].ttf", recalcTimestamp=False)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[*letters, *SHARED, 0x20])
    cutter.subset(font)
    made = io.BytesIO()
    font.save(made)
    return made.getvalue()
