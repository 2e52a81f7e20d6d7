"""Records what lm-evaluation-harness 0.4.13 extracts and calls equal, for tests/metrics/test_golden.py.

Run by hand with a Python that has lm_eval 0.4.13: `python tests/golden/metrics/record.py`. Writes lm_eval.json beside itself.
"""

import json
import random
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters.extraction import RegexFilter, WhitespaceFilter

PATTERNS = [
    r"#### (\-?[0-9\.\,]+)",
    r"(-?[$0-9.,]{2,})|(-?[0-9]+)",
    r"Answer\s*:\s*([0-1])",
    r"[0-9]+",
    r"(a)?(b)?x",
    r"The answer is (\-?[0-9\.\,]+).",
    r"answer:(\s*\w*)",
]
GSM8K = [",", "\\$", "(?s).*#### ", "\\.$"]
NQ = ["\\b(?:The |the |An |A |The |a |an )"]
RULES: dict[str, dict[str, Any]] = {
    "gsm8k": {"regexes_to_ignore": GSM8K, "ignore_case": True, "ignore_punctuation": False},
    "nq_open": {"regexes_to_ignore": NQ, "ignore_case": True, "ignore_punctuation": True},
    "triviaqa": {"regexes_to_ignore": None, "ignore_case": True, "ignore_punctuation": True},
    "plain": {"regexes_to_ignore": None, "ignore_case": False, "ignore_punctuation": False},
}
PIECES = [
    "#### ",
    "####",
    "12",
    "-7",
    "$1,234.50",
    "3.",
    ".",
    ",",
    "$",
    " ",
    "\n",
    "\t",
    "\u00a0",
    "The ",
    "the ",
    "a ",
    "An ",
    "A",
    "x",
    "b",
    "Answer: 1",
    "Answer :\n0",
    "answer:",
    "answer: yes",
    "The answer is 42.",
    "१२",
    "हाँ",
    "।",
    "Éa",
    "e\u0301",
    "ß",
    "SS",
    "'",
    "\u2019",
    "-",
    "\r\n",
    "०.५",
    "[invalid]",
    "\u200d",
    "క్",
    "Ω",
]


def texts(rng: random.Random, n: int) -> list[str]:
    return ["", " ", "####", "#### ,", "..", "abx", "x", "[invalid]"] + [
        "".join(rng.choices(PIECES, k=rng.randint(1, 7))) for _ in range(n)
    ]


def main() -> None:
    assert version("lm_eval") == "0.4.13"
    rng = random.Random(7)
    extracted, equal = [], []
    for pattern in PATTERNS:
        for select in (0, -1):
            some = texts(rng, 60)
            found = RegexFilter(pattern, group_select=select).apply([some], [{}])
            extracted.append({"pattern": pattern, "select": select, "texts": some, "found": next(iter(found))})
    for rule, options in RULES.items():
        for _ in range(120):
            prediction = rng.choice(texts(rng, 8))
            near = prediction.upper() if rng.random() < 0.3 else prediction
            golds = [
                rng.choice([near, near + rng.choice(PIECES), rng.choice(PIECES) + near, rng.choice(PIECES)])
                for _ in range(rng.randint(1, 3))
            ]
            score = exact_match_hf_evaluate(predictions=[prediction] * len(golds), references=golds, **options)["exact_match"]
            equal.append({"rule": rule, "prediction": prediction, "golds": golds, "value": 1.0 if score > 0 else 0.0})
    some = texts(rng, 60)
    stripped = WhitespaceFilter().apply([some], [{}])
    payload = {"lm_eval": "0.4.13", "extracted": extracted, "rules": RULES, "equal": equal, "strip": [some, next(iter(stripped))]}
    Path(__file__).with_name("lm_eval.json").write_text(json.dumps(payload, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
