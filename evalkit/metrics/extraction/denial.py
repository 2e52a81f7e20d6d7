"""Whether a sentence denies what it names: `A is not likely`, `A seems wrong`, `A सही नहीं है`."""

from __future__ import annotations

import re

NATIVE = (
    "नहीं|नही|नाही|गलत|ग\u093cलत|चुकीच|না(?![\u0980-\u09ff])|নয়|নহয়|ভুল|নাই|નથી|નહીં|ખોટ|ਨਹੀਂ|ਗਲਤ|ନୁହେଁ|ନାହିଁ|ଭୁଲ|"
    "இல்லை|அல்ல|தவறு|కాదు|లేదు|తప్పు|ಅಲ್ಲ|ಇಲ್ಲ|ತಪ್ಪು|അല്ല|ഇല്ല|തെറ്റ|نہیں|غلط|ಸರಿಯಲ್ಲ|ಸರಿಯಿಲ್ಲ|ശരിയല്ല|சரியல்ல|సరికాదు"
)
# Python's \b knows no vowel signs, so that it is used for English words alone.
_DENIES = re.compile(
    r"\b(?:not|never|neither|nor|cannot|wrong|incorrect|false|unlikely|unclear|implausible|impossible|improbable|"
    r"excluded|eliminated|rejected|less|ruled\s+out)\b|n['\u2019]t\b|" + NATIVE,
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"[)\]\"']*\s*[:\u2013-]?\s*(?:(?:is|was|are|the|an?|seems?|looks?|appears?|to|be|being|would|can|could|may|might|does|do|probably|clearly|"
    r"definitely|certainly|obviously|actually|also|very|quite|highly|rather|most|"
    r"सही|ठीक|विकल्प|है|हे|बरोबर|সঠিক|ঠিক|সাচ|સાચો|સાચું|ਸਹੀ|ସଠିକ|சரி|சரியான|సరైన|సరైనది|ಸರಿ|ಸರಿಯಾದ|ശരി|ശരിയായ|صحیح|درست)(?!\w)\s*)*",
    re.IGNORECASE,
)
NEAR = 80


def denies(sentence: str) -> bool:
    """Whether a word of denial is anywhere in a sentence."""
    return _DENIES.search(sentence) is not None


def takes_back(rest: str) -> bool:
    """Whether what follows a name denies it: nothing but a verb, an article and the like is between them."""
    denial = _DENIES.search(rest[:NEAR])
    return denial is not None and _BETWEEN.fullmatch(rest[: denial.start()]) is not None
