"""Words that multiply the number in front of them: thousand, lakh, crore, million, in the languages of our tasks."""

from __future__ import annotations

import re

from evalkit.metrics.extraction.sentence import SIGNS
from evalkit.text import nfc

_BY_POWER = {
    3: "thousand|हज़ार|हजार|হাজার|હજાર|ਹਜ਼ਾਰ|ହଜାର|ஆயிரம்|ఆయిరం|వేలు|వేల|వెయ్యి|ಸಾವಿರ|ആയിരം|ہزار",
    5: "lakh|lac|लाख|লাখ|লক্ষ|લાખ|ਲੱਖ|ଲକ୍ଷ|லட்சம்|லட்ச|இலட்சம்|లక్షలు|లక్షల|లక్ష|ಲಕ್ಷ|ലക്ഷം|لاکھ",
    6: "million|mn|मिलियन|মিলিয়ন|મિલિયન|ਮਿਲੀਅਨ|ମିଲିୟନ|மில்லியன்|మిలియన్|ಮಿಲಿಯನ್|ദശലക്ഷം|ملین",
    7: "crore|करोड़|कोटी|কোটি|કરોડ|ਕਰੋੜ|କୋଟି|கோடி|కోట్లు|కోట్ల|కోటి|ಕೋಟಿ|കോടി|کروڑ",
    9: "billion|bn|अरब|बिलियन|বিলিয়ন|ارب",
    12: "trillion|tn",
}
_ENGLISH = "|".join(word for words in _BY_POWER.values() for word in words.split("|") if word.isascii())
_NATIVE = "|".join(nfc(word) for words in _BY_POWER.values() for word in words.split("|") if not word.isascii())
# Letters mean this only where they touch the number: `70k`, `$2.5M`.
_LETTERS = {"k": 3, "K": 3, "M": 6, "B": 9}
_POWERS = [(re.compile(nfc(words), re.IGNORECASE), power) for power, words in _BY_POWER.items()]
# `lakhs` and हज़ारों are the same, a millionaire is none, and neither is 5 km.
SCALE = (
    rf"(?:\s*(?P<scale>(?i:{_ENGLISH})s?(?![A-Za-z])|(?:{_NATIVE})[{SIGNS}]{{0,3}})"
    r"|(?P<letter>[kKMB])(?![\w/\u0900-\u0dff]))"
)


def scale(word: str) -> int:
    """How often a word of `SCALE` makes ten times as much."""
    if word in _LETTERS:
        return _LETTERS[word]
    return next(power for pattern, power in _POWERS if pattern.match(word))
