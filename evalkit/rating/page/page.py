"""From one rater's part of a sheet to the text of one HTML file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from importlib.resources import files

from evalkit.rating.markup import fingerprint, html_of, text_of
from evalkit.rating.page.fonts import font_faces
from evalkit.rating.sheet import LETTERS, Rater, Sheet, SheetItem, Slot
from evalkit.rating.words import WORDS, language_of_page

FOLD = 900  # letters from which a text may be folded; the page measures whether it is worth it
RIGHT_TO_LEFT = frozenset(("ar", "fa", "ks", "sd", "ur"))
SCORES = (5, 4, 3, 2, 1)


def page_of(sheet: Sheet, rater: Rater) -> str:
    """The whole page, as a file."""
    own = files("evalkit.rating.page")
    shell, style, script = (own.joinpath(name).read_text(encoding="utf-8") for name in ("page.html", "style.css", "page.js"))
    language = language_of_page(rater.page)
    words = WORDS[language]
    slots = "\n".join(_slot(sheet.items[slot.item], slot, place, len(rater.slots), words) for place, slot in enumerate(rater.slots, 1))
    spoken = {code: WORDS[code] for code in WORDS if code in ("en", language) or code in sheet.languages}
    table = json.dumps(spoken, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    faces, families = font_faces(frozenset(table) | sheet.letters)  # one set of fonts for all raters: cut once
    style = faces + style.replace("system-ui,", f"{families}system-ui,", 1)
    parts = {
        **{key: html.escape(text) for key, text in words.items()},
        "lang": language,
        "dir": words["direction"],
        "style": style,
        "script": script,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "sheet": sheet.id,
        "rater": html.escape(rater.id, quote=True),
        "signature": rater.signature,
        "count": str(len(rater.slots)),
        "languages": "".join(
            f'<option value="{code}"{" selected" if code == language else ""}>{html.escape(own_words["own_name"])}</option>'
            for code, own_words in spoken.items()
        ),
        "scale": "".join(f'<div><dt>{n}</dt><dd data-word="guide_{n}">{html.escape(words[f"guide_{n}"])}</dd></div>' for n in SCORES),
        "slots": slots,
        "words": table,
    }
    pieces = shell.split("{{")
    return pieces[0] + "".join(parts[name] + rest for name, _, rest in (piece.partition("}}") for piece in pieces[1:]))


def served(page: str, path: str) -> str:
    """A page from its file, as a server gives it: it may speak to that server, at the rater's own address."""
    return page.replace("connect-src 'none'", "connect-src 'self'", 1).replace('data-server=""', f'data-server="{html.escape(path)}"', 1)


def shown_text(item: SheetItem, order: Sequence[int]) -> str:
    """The fingerprint of all texts of a prompt as the page shows them: the turns, then the answers in their order."""
    texts = [text_of(html_of(turn.content)) for turn in item.turns] + [text_of(html_of(item.answers[model])) for model in order]
    return fingerprint("|".join(texts))


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _slot(item: SheetItem, slot: Slot, place: int, count: int, words: dict[str, str]) -> str:
    direction = "rtl" if item.language in RIGHT_TO_LEFT else "ltr"
    written = f'lang="{html.escape(item.language, quote=True)}" dir="{direction}"'
    head = words["prompt"].format(n=place, all=count)
    turns = "".join(_turn(turn.role, turn.content, written, words, alone=len(item.turns) == 1) for turn in item.turns)
    answers = "".join(_answer(slot.id, LETTERS[i], item.answers[model], written, words) for i, model in enumerate(slot.order))
    return (
        f'<section class="slot" id="p-{slot.id}" data-slot="{slot.id}" data-text="{slot.text}" aria-labelledby="h-{slot.id}" hidden>'
        f'<h2 id="h-{slot.id}" tabindex="-1" data-word="prompt" data-n="{place}" data-all="{count}">{html.escape(head)}</h2>'
        f'<div class="asked">{turns}</div><div class="answers">{answers}</div></section>'
    )


def _turn(role: str, content: str, written: str, words: dict[str, str], *, alone: bool) -> str:
    who = "" if alone else f'<p class="who" data-word="role_{role}">{html.escape(words[f"role_{role}"])}</p>'
    return f'<div class="turn">{who}{_folding(html_of(content), content, written, words)}</div>'


def _folding(made: str, source: str, written: str, words: dict[str, str]) -> str:
    if len(source) < FOLD and source.count("\n") < 14:
        return f'<div class="text" {written}>{made}</div>'
    attributes = 'type="button" class="more" aria-expanded="false" data-word="show_all" hidden'
    return f'<div class="text folded" {written}>{made}</div><button {attributes}>{html.escape(words["show_all"])}</button>'


def _answer(slot: str, letter: str, answer: str, written: str, words: dict[str, str]) -> str:
    name = words["answer"].format(letter=letter)
    made = html_of(answer)
    empty = "" if text_of(made).strip() else f'<p class="why" data-word="empty">{html.escape(words["empty"])}</p>'
    group, legend = f"r-{slot}-{letter}", words["rate"].format(letter=letter)
    pills = "".join(_pill(group, str(n), f"<b>{n}</b>", f"score_{n}", words) for n in reversed(SCORES))
    pills += _pill(group, "cannot", "", "cannot", words)
    return (
        f'<article class="answer" data-letter="{letter}" aria-labelledby="a-{slot}-{letter}">'
        f'<h3 id="a-{slot}-{letter}" data-word="answer" data-letter="{letter}">{html.escape(name)}</h3>{empty}'
        f"{_folding(made, answer, written, words)}"
        f'<fieldset><legend data-word="rate" data-letter="{letter}">{html.escape(legend)}</legend>{pills}</fieldset>'
        f'<label class="said"><span data-word="comment" data-letter="{letter}">{html.escape(words["comment"].format(letter=letter))}</span>'
        f'<textarea rows="1" maxlength="2000" dir="auto"></textarea></label></article>'
    )


def _pill(group: str, value: str, shown: str, word: str, words: dict[str, str]) -> str:
    kind = "pill cannot" if value == "cannot" else "pill"
    return (
        f'<label class="{kind}"><input type="radio" name="{group}" value="{value}">{shown}'
        f'<small data-word="{word}">{html.escape(words[word])}</small></label>'
    )
