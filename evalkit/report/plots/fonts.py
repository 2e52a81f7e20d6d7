"""Fonts for every script a label may have, from a package and not from the machine."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from evalkit.fonts import font

SCRIPTS = ("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Arabic", "Sinhala")


@lru_cache(maxsize=1)
def families() -> tuple[str, ...]:
    """Font families in the order matplotlib should ask them for a letter: its own Latin one, then Noto Sans a script.

    matplotlib shapes text itself since 3.11 (joins letters, reorders vowel signs), in PNG and in SVG paths alike; all it
    lacks is the fonts. Of a script whose font is not to be had, the machine's Noto Sans.
    """
    from matplotlib.font_manager import fontManager, get_font, ttfFontProperty

    names = []
    for script in SCRIPTS:
        file = font(script)
        if file is None:
            own = f"Noto Sans {script}"
            names += [own] if any(entry.name == own for entry in fontManager.ttflist) else []
            continue
        # Under its own name: a font of the machine with the same family name would otherwise win.
        names.append(f"evalkit {script}")
        fontManager.ttflist.append(replace(ttfFontProperty(get_font(file)), fname=str(file), name=names[-1]))
    return ("DejaVu Sans", *names)
