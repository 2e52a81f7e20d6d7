"""Invented answers, hostile ones among them, and raters who give them points."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evalkit.rating.gather import Gathered, Item
from evalkit.rating.make import Made
from evalkit.rating.markup import fingerprint
from evalkit.rating.sheet import LETTERS, Rater, Sheet
from evalkit.types import Message

MODELS = ("zebrafish-7b-instruct", "quokka_v2", "narwhal/9B", "axolotl")
ASKED = {
    "en": "Why is the sky blue? Explain it to a child.",
    "hi": "दीवाली पर एक छोटी कविता लिखिए।",
    "ta": "மழை பற்றி ஒரு சிறு கதை எழுதுங்கள்.",
    "ur": "چائے پر ایک مختصر نظم لکھیے۔",
}
NOWHERE = "http://127.0.0.1:9"  # nothing listens there; the page must not even try
HOSTILE = (  # four for each of four prompts
    "<script>window.broken = 1</script><img src=x onerror='window.broken = 2'><svg onload=\"window.broken = 3\">",
    "[click](javascript:window.broken=4) ![x](https://example.org/track.png) <https://example.org> <iframe src='data:,x'></iframe>",
    "```html\n</code></pre><script>window.broken = 5</script>\n```\n\n<style>body{display:none}</style>",
    "</div></section><form action='https://example.org'><input name=x></form><!-- written by somebody -->\n\n&lt;script&gt;",
    f"<div style='position:fixed;inset:0;z-index:99'>over</div><style>*{{display:none}}body{{background:url({NOWHERE}/css)}}</style>",
    f"<base href={NOWHERE}/><meta http-equiv=refresh content='0;url={NOWHERE}/'><link rel=stylesheet href={NOWHERE}/css>",
    "<iframe srcdoc='<script>parent.broken=6</script>'></iframe><object data=x></object></script><script>window.broken=7</script>",
    f"![huge]({NOWHERE}/huge.png)\n[r]: {NOWHERE}/r 'javascript:window.broken=8'\n\n[r] [r][] ![r]",
    "<b>never <i>closed <table><tr><td>x\n\n</body></html><h1>out",
    "\u202eturned \u202dround\u202c \u2066and\u2069 back",
    "x" * 20_000,
    "- " * 2_000 + "deep",
    "|" + "wide|" * 60 + "\n|" + "-|" * 60 + "\n|" + "wide|" * 60,
    "$$\\frac{1}{2}$$ <math><mi xlink:href='javascript:window.broken=9'>x</mi></math> <svg/onload=window.broken=10>",
    "<button id=save autofocus>Save</button><a id=words name=words>{}</a><details open ontoggle=window.broken=11><summary>x",
    "{{script}} {{slots}} &#60;img src=x onerror=window.broken=12&#62; <x-widget></x-widget>\u2028window.broken=13",
)
PLAIN = (
    "**Blue** light is scattered most.\n\n- small waves\n- large waves\n\n1. first\n2. second",
    "क्षत्रिय, ज्ञान और श्री: संयुक्त अक्षर।\n\n| क | ख |\n|---|---|\n| १ | २ |",
    "மழை பெய்தது. கொக்கு பறந்தது.\n\n> மேற்கோள்",
    "گرم چائے کی پیالی ہے، اور شام کا وقت۔ " * 60,
)


def item(number: int, language: str, answers: tuple[str, ...], category: str = "") -> Item:
    kind = category or ("creative_writing", "reasoning")[number // 4 % 2]
    return Item("open_prompts", f"{language}/{number}", language, kind, (Message("user", f"{ASKED[language]} ({number})"),), answers)


def gathered(count: int = 20, answers: Callable[[int], tuple[str, ...]] | None = None) -> Gathered:
    """`count` prompts in four languages, each with an answer of all models."""
    given = answers or (lambda number: HOSTILE[number // 5 % 4 * 4 :][:4] if number % 5 == 0 else PLAIN[number % 4 :] + PLAIN[: number % 4])
    return Gathered(MODELS, tuple(item(i, list(ASKED)[i % 4], given(i)) for i in range(count)))


Score = Callable[[Rater, int, int], int | str]


def answers_of(rater: Rater, score: Score, part: float = 1.0) -> dict[str, Any]:
    """The slots of a file in which a rater gave `score(rater, item, model)`, for the first part of the page."""
    slots = {}
    for number, slot in enumerate(rater.slots[: max(1, round(len(rater.slots) * part))]):
        given = {LETTERS[i]: score(rater, slot.item, model) for i, model in enumerate(slot.order)}
        slots[slot.id] = {"answers": given, "comments": {}, "seconds": 30 + number, "at": 1_700_000_000_000 + number, "text": slot.text}
    return slots


def file_of(sheet: Sheet, rater: Rater, slots: Mapping[str, Any]) -> dict[str, Any]:
    """A file as the page of a rater saves it."""
    check = fingerprint(json.dumps(slots, ensure_ascii=False, separators=(",", ":")))
    about = {"format": "evalkit-rating/1", "sheet": sheet.id, "rater": rater.id, "signature": rater.signature, "language": "en"}
    return {**about, "started": 1, "saved": 2, "slots": dict(slots), "check": check}


def leaning_scores(seed: int = 3, leanings: Mapping[str, float] | None = None) -> Score:
    """Raters with leanings and models in a known order: the first model is worst, the last one best."""
    rng = random.Random(seed)

    def score(rater: Rater, item: int, model: int) -> int:
        return max(1, min(5, round(2.0 + 0.7 * model + (leanings or {}).get(rater.id, 0.0) + rng.gauss(0, 0.6))))

    return score


def write_files(made: Made, folder: Path, score: Score) -> list[Path]:
    """A file per rater."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for rater in made.sheet.raters:
        paths.append(folder / f"rating-{rater.id}.json")
        paths[-1].write_text(json.dumps(file_of(made.sheet, rater, answers_of(rater, score)), ensure_ascii=False), encoding="utf-8")
    return paths
