"""Rows of the Indic benchmarks as they really come: null labels, labels as text, both layouts of answers, one file for all languages."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from evalkit.data import Loaded, LocalSource, SamplesSource, load
from evalkit.errors import ConfigError, DataError
from evalkit.tasks import crosssum_in, indic_copa, indic_qa, indic_sentiment, indic_xnli, indic_xparaphrase
from evalkit.types import Response

CONF = Path(__file__).resolve().parents[2] / "conf"
REVIEW = {"LABEL": "Positive", "INDIC REVIEW": "अच्छा है।", "language": "hi"}
INDIC = ("indic_sentiment", "indic_copa", "indic_xparaphrase", "indic_xnli", "indic_qa", "crosssum_in", "in22_en_xx", "in22_xx_en")


@cache
def made(name: str) -> Any:
    with initialize_config_dir(str(CONF), version_base=None):
        return instantiate(compose(overrides=[f"+task={name}"]).tasks[name])


def local(root: Path, name: str, *languages: str) -> Loaded:
    task = made(name)
    return load(name, task.data, LocalSource(str(root)), languages, want_shots=task.num_fewshot > 0)


def put(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_null_labels_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [{**REVIEW, "LABEL": label} for label in ("Positive", None, " NEGATIVE", "", float("nan"))]
    put(tmp_path / "indic_sentiment/hi/test.jsonl", *rows, {**REVIEW, "INDIC REVIEW": None})
    loaded = local(tmp_path, "indic_sentiment", "hi")
    assert [doc.target for doc in loaded.docs] == [0, 1] and loaded.n_dropped == 4
    with pytest.raises(ValueError, match="'Mixed' is neither Positive nor Negative nor null"):
        indic_sentiment.to_doc({**REVIEW, "LABEL": "Mixed"})
    with pytest.raises(ValueError, match="'ur' has no words in IndicSentiment; it has as, bn"):
        indic_sentiment.to_doc({**REVIEW, "language": "ur"})


def test_a_language_is_filled_in_from_the_folder_and_never_overruled(tmp_path: Path) -> None:
    path = put(tmp_path / "indic_xnli/ta/test.jsonl", {"premise": "ப", "hypothesis": "க", "label": 0, "language": "hi"})
    with pytest.raises(DataError, match=rf"{path}:1: field 'language': 'hi' among the rows of 'ta'"):
        local(tmp_path, "indic_xnli", "ta")


def test_xnli_labels() -> None:
    row = {"premise": "क", "hypothesis": "ख", "language": "hi"}
    for label in (2, 2.0, "2", "Contradiction "):
        assert indic_xnli.to_doc({**row, "label": label}).fields["answer"] == "2"
    twins = [indic_xnli.to_doc({**row, "hypothesis": h, "label": 2}) for h in "खग"]
    assert twins[0] and twins[1] and twins[0].cluster == twins[1].cluster and twins[0].target == 2
    with pytest.raises(ValueError, match="3 is none of 0"):
        indic_xnli.to_doc({**row, "label": 3})


def test_paraphrase_labels_come_as_text_or_numbers() -> None:
    row = {"sentence1": "क", "sentence2": "ख", "language": "te"}
    labels = ("1", 1, 1.0, True, "0", 0)
    assert [indic_xparaphrase.to_doc({**row, "label": label}).target for label in labels] == [1, 1, 1, 1, 0, 0]
    with pytest.raises(ValueError, match=r"'yes' is none of 0 \(no paraphrase\), 1 \(paraphrase\)"):
        indic_xparaphrase.to_doc({**row, "label": "yes"})


@pytest.mark.parametrize("label", [None, float("nan"), "", -1])
def test_no_row_without_a_label_is_scored(label: Any) -> None:
    pair = {"premise": "क", "hypothesis": "ख", "sentence1": "क", "sentence2": "ख", "choice1": "क", "choice2": "ख", "question": "cause"}
    row = {**pair, "label": label, "language": "hi"}
    for to_doc in (indic_xnli.to_doc, indic_xparaphrase.to_doc, indic_copa.to_doc, indic_copa.to_doc_gen):
        assert to_doc(row) is None
        assert getattr(to_doc({**row, "label": 1}), "target", None) in (1, "B")


def test_a_null_text_is_an_error_and_never_the_word_none(tmp_path: Path) -> None:
    path = put(tmp_path / "indic_xparaphrase/hi/test.jsonl", {"sentence1": "क", "sentence2": None, "label": 1})
    with pytest.raises(DataError, match=rf"{path}:1: field 'sentence2': None is not a text with something in it"):
        local(tmp_path, "indic_xparaphrase", "hi")


def test_copa_cuts_the_last_character_and_reads_odd_rows_strictly() -> None:
    row = {"premise": " வந்தான் ", "choice1": "Ab", "choice2": "Cd", "question": "cause", "label": 0, "language": "ta"}
    doc = indic_copa.to_doc(row)
    assert doc and doc.fields["premise"] == "வந்தான்"[:-1] and doc.choices == ("ab", "cd")
    assert indic_copa.to_doc_gen({**row, "label": "1"}).target == "B"
    for change, words in (({"question": "why"}, "neither 'cause' nor 'effect'"), ({"label": 2}, "2 is none of 0")):
        with pytest.raises(ValueError, match=words):
            indic_copa.to_doc({**row, **change})


@pytest.mark.parametrize(
    ("answers", "target"),
    [
        ({"text": ["क", "ख", "क"], "answer_start": [0, 3, 0]}, ("क", "ख")),
        ([{"text": "क", "answer_start": 0}], ("क",)),
        ({"text": [""], "answer_start": [-1]}, ("",)),
        ({"text": [], "answer_start": []}, ("",)),
        ([], ("",)),
        (None, ("",)),
        ({"text": None}, ("",)),
        ({"text": [None, "क"]}, ("क",)),
    ],
)
def test_indic_qa_answers_in_both_layouts(answers: Any, target: tuple[str, ...]) -> None:
    doc = indic_qa.to_doc({"context": "क ख", "question": "?", "answers": answers, "language": "hi"})
    assert (doc.target, doc.fields["answerable"]) == (target, target != ("",))


def test_indic_qa_scores_answerable_questions_and_reports_the_others_apart() -> None:
    task = made("indic_qa")
    docs = load("indic_qa", task.data, SamplesSource(), ("hi",), want_shots=False).docs
    for doc in docs:
        said = [Response("k", "empty", text=" ")]
        scores = {m.name: m.score(doc, said) for m in task.metrics if m.name != "bertscore"}
        answerable = doc.fields["answerable"]
        assert scores["squad_f1"].value == (0 if answerable else None)
        assert scores["abstains_correctly"].value == (None if answerable else 1)
        assert ("apart" in scores["squad_f1"].flags) is not answerable
    assert sum(doc.fields["answerable"] for doc in docs) == 3


def test_crosssum_shots_come_from_dev_whatever_the_file_is_called(tmp_path: Path) -> None:
    row = {"text": "Rain.", "summary": "बारिश।", "lang": "hi"}
    put(tmp_path / "crosssum_in/hi/test.jsonl", row, {**row, "summary": " "})
    for stem in ("validation", "dev"):
        put(tmp_path / f"crosssum_in/hi/{stem}.jsonl", {**row, "text": stem})
        loaded = local(tmp_path, "crosssum_in", "hi")
        assert [doc.fields["text"] for doc in loaded.pool] == [stem] and (len(loaded.docs), loaded.n_dropped) == (1, 1)
    assert crosssum_in.to_doc({**row, "lang": "ur"}).fields["target_language"] == "Urdu"


@pytest.mark.parametrize("place", ["in22/test.jsonl", "in22/gen.jsonl", "in22.jsonl", "in22/hi/gen.jsonl", "in22_en_xx/hi/test.jsonl"])
@pytest.mark.parametrize("prefix", ["", "sentence_"])
def test_in22_files(tmp_path: Path, place: str, prefix: str) -> None:
    put(tmp_path / place, {f"{prefix}eng_Latn": "Hello.", f"{prefix}hin_Deva": "नमस्ते।", f"{prefix}tam_Taml": "வணக்கம்.", "id": 1})
    languages = ("hi",) if "/hi/" in place else ("hi", "ta")
    loaded = local(tmp_path, "in22_en_xx", *languages)
    assert [doc.target for doc in loaded.docs] == ["नमस्ते।", "வணக்கம்."][: len(languages)]
    assert len({doc.cluster for doc in loaded.docs}) == 1
    assert {doc.id for doc in loaded.docs} == {f"{code}/test/0" for code in languages}


def test_in22_without_the_language_says_which_column_is_missing(tmp_path: Path) -> None:
    path = put(tmp_path / "in22/test.jsonl", {"eng_Latn": "Hello.", "hin_Deva": "नमस्ते।"})
    with pytest.raises(DataError, match=rf"{path}:1: no sentence in tel_Telu \(or sentence_tel_Telu\); the row has: eng_Latn, hin_Deva"):
        local(tmp_path, "in22_xx_en", "te")


@pytest.mark.parametrize("name", INDIC)
def test_samples_are_enough_and_say_which_languages_they_lack(name: str) -> None:
    task = made(name)
    loaded = load(name, task.data, SamplesSource(), task.languages, want_shots=task.num_fewshot > 0)
    assert len(loaded.docs) >= 12 and len({doc.language for doc in loaded.docs}) >= 4
    assert loaded.sample_rows and (name.startswith("in22") or "left out" in loaded.notes[0])


def test_a_suite_in_some_languages_leaves_out_what_a_task_lacks(caplog: pytest.LogCaptureFixture) -> None:
    from evalkit.config.compose import compose
    from evalkit.config.setup import build

    parts = build(compose(["task=[indic_xparaphrase,indic_xnli]", "languages=[hi,ta]", "data=samples"]))
    assert {name: list(task.languages) for name, task in parts.tasks.items()} == {"indic_xparaphrase": ["hi"], "indic_xnli": ["hi", "ta"]}
    assert "task indic_xparaphrase has no language ta and is measured without" in caplog.text
    for languages in ("[ta]", "[hi,xx]"):
        with pytest.raises(ConfigError, match=r"task indic_xparaphrase has no language (ta|xx); it has as, bn"):
            build(compose(["task=[indic_xparaphrase,indic_xnli]", f"languages={languages}", "data=samples"]))
