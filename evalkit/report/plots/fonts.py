"""Fonts for every script a label may have, from a package and not from the machine."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

SCRIPTS = ("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Arabic", "Sinhala")


@lru_cache(maxsize=1)
def families() -> tuple[str, ...]:
    """Font families in the order matplotlib should ask them for a letter: its own Latin one, then Noto Sans a script.

    matplotlib shapes text itself since 3.11 (joins letters, reorders vowel signs), in PNG and in SVG paths alike; all it
    lacks is the fonts, which come from the package manimgx-fonts (Noto Sans, SIL Open Font License).
    """
    import manimgx_fonts
    from matplotlib.font_manager import fontManager, get_font, ttfFontProperty

    folder = Path(manimgx_fonts.__file__).parent
    names = []
    for script in SCRIPTS:
        file = folder / f"NotoSans{script}[wght].ttf"
        # Under its own name: a font of the machine with the same family name would otherwise win.
        names.append(f"evalkit {script}")
        fontManager.ttflist.append(replace(ttfFontProperty(get_font(file)), fname=str(file), name=names[-1]))
    return ("DejaVu Sans", *names)
