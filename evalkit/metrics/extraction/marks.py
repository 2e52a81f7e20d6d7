"""What is around an answer and is not part of it: quotes, markup, list marks, and words such as `Answer:`."""

from __future__ import annotations

import re

from evalkit.text import SENTENCE_ENDS

QUOTES = "\"'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a"
MARKUP = "*_~#"
MAX_LAYERS = 100  # of marks around one answer; more is a model in a loop
COLONS = ":\uff1a\ufe55"
_AROUND = QUOTES + MARKUP + " \t\r\n"
_BRACKETS = [
    tuple(pair) for pair in ("()", "[]", "{}", "<>", "\u3008\u3009", "\u300a\u300b", "\u300c\u300d", "\uff08\uff09", "\u3010\u3011")
]
_LIST = re.compile(r"(?:[-*+\u2022\u00b7\u25cf\u25aa\u2013\u2014>]\s+|[(\[]?\d{1,3}[.)\]]\s+)")
_FENCE = re.compile(r"```[^\n`]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_LONG_FENCE = re.compile(r"(?ms)^[ \t]*(~{3,}|`{4,})[^\n`]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)")
READING = "reading:3"  # for signatures: raised whenever an answer could be read otherwise than before
CONJUNCTION = "या|और|व|एवं|আৰু|বা|অথবা|ও|এবং|અથવા|અને|ਜਾਂ|ਅਤੇ|କିମ୍ବା|ଏବଂ|ଓ|அல்லது|மற்றும்|లేదా|మరియు|ಅಥವಾ|ಮತ್ತು|അല്ലെങ്കിൽ|یا|اور|आणि|किंवा"
# The word for "answer" (or option, label) in the languages of our tasks.
ANSWER = (
    "answer|ans|option|choice|"
    "उत्तर|जवाब|जबाब|उतर|विकल्प|पर्याय|উত্তর|উত্তৰ|জবাব|বিকল্প|જવાબ|ઉત્તર|વિકલ્પ|ਉੱਤਰ|ਜਵਾਬ|ਵਿਕਲਪ|ଉତ୍ତର|ବିକଳ୍ପ|ଜବାବ|"
    "பதில்|விடை|விருப்பம்|సమాధానం|జవాబు|ఎంపిక|ಉತ್ತರ|ಆಯ್ಕೆ|ഉത്തരം|മറുപടി|جواب"
)
LABEL = (
    "label|category|class|topic|sentiment|classification|"
    "लेबल|श्रेणी|वर्ग|विषय|লেবেল|শ্রেণি|শ্রেণী|શ્રેણી|લેબલ|ਲੇਬਲ|ਸ਼੍ਰੇਣੀ|ଲେବଲ|ଶ୍ରେଣୀ|லேபிள்|வகை|లేబుల్|వర్గం|ಲೇಬಲ್|ವರ್ಗ|ലേബൽ|വിഭാഗം|لیبل|"
    "भाव|भावना|ভাব|অনুভূতি|ભાવના|ਭਾਵਨਾ|ଭାବନା|உணர்வு|భావం|ಭಾವನೆ|വികാരം"
)


def bare(text: str) -> str:
    """The text without a list mark in front, and without quotes, markup and brackets around it. Idempotent.

    Nothing of a text that has more layers of these than `MAX_LAYERS`.
    """
    text = text.strip()
    for _ in range(MAX_LAYERS):
        cut = text.strip().strip(_AROUND)
        if cut == text and (mark := _LIST.match(text)):
            cut = text[mark.end() :]
        for opening, closing in _BRACKETS:
            surplus = cut.count(opening) - cut.count(closing)
            if cut.startswith(opening) and surplus > 0:
                cut = cut[1:]
            elif cut.endswith(closing) and surplus < 0:
                cut = cut[:-1]
            elif cut.startswith(opening) and _around(cut, opening, closing):
                cut = cut[1:-1]
        if cut == text:
            return text
        text = cut
    return ""


def _around(text: str, opening: str, closing: str) -> bool:
    """Whether the bracket that opens a text is closed by its last character; `(a) or (b)` has two pairs."""
    inner = text[1:-1]
    return text.endswith(closing) and (closing not in inner or -1 < inner.find(opening) < inner.find(closing))


def bare_sentence(text: str) -> str:
    """`bare`, without full stops, commas and the like at its end either."""
    while (cut := bare(text).rstrip(f".,;!?{COLONS}{SENTENCE_ENDS}")) != text:
        text = cut
    return text


def fenced(text: str) -> list[str]:
    """What is in code fences, in order; a fence that is not closed reaches to the end.

    A fence is three backticks. A longer one, or one of tildes, may hold others: then these count, else its own content does.
    """
    blocks: list[str] = []
    start = 0
    for outer in _LONG_FENCE.finditer(text):
        blocks += _FENCE.findall(text[start : outer.start()])
        blocks += fenced(outer[2]) or [outer[2]]
        start = outer.end()
    blocks += _FENCE.findall(text[start:])
    return [block.strip("\n") for block in blocks]
