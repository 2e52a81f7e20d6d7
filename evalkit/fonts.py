"""Fonts of the Indic scripts (Noto Sans, SIL Open Font License), as the package manimgx-fonts carries them.

Nobody we know keeps that package, so a file is used only when it is the one that was looked at, by its hash. Without it pictures and
pages are drawn with the fonts of the machine.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from evalkit.extras import missing
from evalkit.files import sha256_file

log = logging.getLogger("evalkit")
# Script in the file's name -> SHA-256 of the file that was looked at.
CHECKED = {
    "Devanagari": "bf99bf762743ff3259e73196852520ab0ffe8d384238bff3e4806a84b981e972",
    "Bengali": "dc9defe97bb041876b6609e9029d9e1e228a686259acde2fe2a9f99d793ee17d",
    "Gurmukhi": "8a3096ee2166f6383501e2df7b368fce88cfa4068c8d75bcb6af07da353a00ea",
    "Gujarati": "83d1bde74d64fb389f97a5e27b2699d8ee8bad4c15a02be347228e6c10011248",
    "Oriya": "37f482d0179d0a50e3128d004f007ff1c1741ad5f6b0b2bcc7238b257ef1caa0",
    "Tamil": "37e151cdec4a8cfb15c432f7bb164a83b98df69419d47e50b35aa7073963716b",
    "Telugu": "6c06de88b2d420d899543724a13765994191cd29860c6226efca098b51fec64b",
    "Kannada": "b6b11505d76eddf916667d73adfec19095ec777742444dc662dae81471461f4e",
    "Malayalam": "94cddc94a03fa9a5e8d1784090ba97b267def6933d60762081eaa003751142c5",
    "Arabic": "3fae4d7239d1faa55b234bda8091019a5251ff79df40d5e29367d84bed2a8138",
    "Sinhala": "3fd7c6a61cb6dfb8a2ca7af5b4078bd24e9c8ad9b55839a0177277db6e4d1326",
}


@lru_cache(maxsize=len(CHECKED))
def font(script: str) -> Path | None:
    """The file of one script; None, and a warning, where it is not there or is another than was looked at."""
    found = find_spec("manimgx_fonts")
    if found is None or not found.submodule_search_locations:
        _without()
        return None
    path = Path(found.submodule_search_locations[0]) / f"NotoSans{script}[wght].ttf"
    if not path.is_file() or sha256_file(path) != CHECKED[script]:
        log.warning("the font %s is not the one that was checked (manimgx-fonts 2026.9.26.post1), so the machine's own is used", path.name)
        return None
    return path


@lru_cache(maxsize=1)
def _without() -> None:
    """Said once, not per script."""
    log.warning("%s; letters of Indic scripts are drawn with the machine's own fonts", missing("manimgx_fonts", "this"))
