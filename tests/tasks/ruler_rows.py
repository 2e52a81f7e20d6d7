"""Invented rows in the schemas of SQuAD 2.0 and HotpotQA: in the data sets' own files, and as the hub has them."""

from __future__ import annotations

import random
from typing import Any

PLACES = ("Orrin", "Dunmere", "Kell", "Tarn", "Voss", "Ild", "Brask", "Helm", "Sorrel", "Wick", "Anders", "Pell")
THINGS = ("mill", "bridge", "lamp", "school", "ferry", "orchard", "bell", "kiln", "tower", "market")
WORDS = [
    "the",
    "road",
    "was",
    "wet",
    "and",
    "people",
    "walked",
    "slowly",
    "past",
    "old",
    "walls",
    "where",
    "grass",
    "had",
    "grown",
    "between",
    "stones",
    "for",
    "many",
    "quiet",
    "years",
]


def _sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(8, 16))).capitalize() + "."


def squad_file(articles: int = 12) -> dict[str, Any]:
    """`dev-v2.0.json`: articles of paragraphs of questions; every third question has no answer."""
    rng = random.Random(5)
    data = []
    for number in range(articles):
        paragraphs = []
        for part in range(rng.randint(2, 6)):
            place, thing = rng.choice(PLACES), rng.choice(THINGS)
            context = f"The {thing} number {number}-{part} is in {place}. " + " ".join(_sentence(rng) for _ in range(rng.randint(2, 5)))
            qas = []
            for index in range(3):
                gone = index == 2
                answers = [{"text": place, "answer_start": 0}] * (1 + index) if not gone else []
                qas.append(
                    {"question": f"Where is the {thing} ({number}, {part}, {index})?", "id": "", "answers": answers, "is_impossible": gone}
                )
            paragraphs.append({"context": context, "qas": qas})
        data.append({"title": f"Article_{number}", "paragraphs": paragraphs})
    return {"version": "v2.0", "data": data}


def squad_rows(articles: int = 12) -> list[dict[str, Any]]:
    """The hub's rows of it."""
    rows = []
    for article in squad_file(articles)["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answers = {"text": [a["text"] for a in asked["answers"]], "answer_start": [a["answer_start"] for a in asked["answers"]]}
                rows.append({"title": article["title"], "context": paragraph["context"], "question": asked["question"], "answers": answers})
    return rows


def hotpot_file(questions: int = 30) -> list[dict[str, Any]]:
    """`hotpot_dev_distractor_v1.json`: ten passages per question, some of them shared."""
    rng = random.Random(6)
    pool = [[f"{rng.choice(PLACES)} {number}", [_sentence(rng), " " + _sentence(rng), " " + _sentence(rng)]] for number in range(90)]
    return [
        {"question": f"Which place is meant by clue {number}?", "answer": rng.choice(PLACES), "context": rng.sample(pool, 10)}
        for number in range(questions)
    ]


def hotpot_rows(questions: int = 30) -> list[dict[str, Any]]:
    """The hub's rows of it."""
    return [
        {**row, "context": {"title": [title for title, _ in row["context"]], "sentences": [told for _, told in row["context"]]}}
        for row in hotpot_file(questions)
    ]
