from __future__ import annotations

import pytest

from evalkit.tasks import flores_in, gsm8k, hellaswag, ifeval, labelled, mmlu, nq_open, triviaqa, truthfulqa, winogrande

SCENE = {
    "activity_label": "Watering a garden",
    "ctx_a": "A man drags a hose across the lawn.",
    "ctx_b": "he WAVES",
    "endings": ["turns the tap.", " [substeps] folds [it]  up. [title] Rest", "sings  to   it.", "melts."],
    "label": "1",
    "source_id": "wikihow~1",
}


def test_hellaswag_capitalises_cleans_and_clusters() -> None:
    doc = hellaswag.to_doc(SCENE)
    assert doc is not None
    assert doc.fields["query"] == "Watering a garden: A man drags a hose across the lawn. He waves"
    # A deleted mark leaves the spaces around it, and of three in a row one pass leaves two.
    assert doc.choices == ("turns the tap.", " folds  up.. Rest", "sings to  it.", "melts.")
    assert (doc.target, doc.cluster, doc.id) == (1, "wikihow~1", "")


def test_unlabelled_rows_are_not_scored() -> None:
    assert hellaswag.to_doc({**SCENE, "label": ""}) is None
    assert winogrande.to_doc({"sentence": "a _ b", "option1": "x", "option2": "y", "answer": ""}) is None
    assert nq_open.to_doc({"question": "who", "answer": []}) is None


def test_winogrande_splits_at_the_first_blank() -> None:
    doc = winogrande.to_doc({"sentence": "The jar _ was_full . ", "option1": "a", "option2": "b", "answer": "2"})
    assert doc is not None
    assert (doc.fields["prefix"], doc.fields["rest"], doc.choices, doc.target) == ("The jar ", "was_full .", ("a", "b"), 1)
    with pytest.raises(ValueError, match="no blank"):
        winogrande.to_doc({"sentence": "No gap.", "option1": "a", "option2": "b", "answer": "1"})


def test_mmlu_groups_by_subject() -> None:
    doc = mmlu.to_doc({"question": " Which? \n", "subject": "college_physics", "choices": ["a", "b", "c", "d"], "answer": 3})
    assert (doc.fields["question"], doc.fields["subject_name"]) == ("Which?", "college physics")
    assert (doc.group, doc.cluster, doc.target) == ("college_physics", "college_physics", 3)


def test_generation_targets() -> None:
    assert gsm8k.to_doc({"question": "2+2?", "answer": "It is 4.\n#### 4"}).target == "It is 4.\n#### 4"
    doc = nq_open.to_doc({"question": "who", "answer": ["Ada", "A. Brown"]})
    assert doc is not None and doc.target == ("Ada", "A. Brown")


def test_flores_serves_both_directions_from_a_row_of_either() -> None:
    given = {"source": "नदी शांत है।", "target": "The river is calm.", "lang": "hi", "translation_direction": "xxen"}
    turned = {"source": given["target"], "target": given["source"], "lang": "hi", "translation_direction": "enxx"}
    for row in (given, turned):
        into, out = flores_in.to_doc_xx_en(row), flores_in.to_doc_en_xx(row)
        assert (into.fields["source"], into.target, into.fields["target_language"]) == ("नदी शांत है।", "The river is calm.", "English")
        assert (out.fields["source"], out.target, out.fields["target_language"]) == ("The river is calm.", "नदी शांत है।", "Hindi")
        assert (into.fields["source_code"], out.fields["source_code"], out.language) == ("hi", "en", "hi")
        # The same sentence in another language belongs to the same cluster, in both directions.
        other = flores_in.to_doc_xx_en({**given, "source": "நதி அமைதியானது.", "lang": "ta"})
        assert into.cluster == out.cluster == other.cluster
    with pytest.raises(ValueError, match="hien"):
        flores_in.to_doc_xx_en({**given, "translation_direction": "hien"})


def test_ifeval_null_and_absent_arguments_are_the_same() -> None:
    row = {"key": 1, "prompt": "p", "instruction_id_list": ["a:b", "c:d"], "kwargs": [{}, {"num_words": 3}]}
    filled = {**row, "kwargs": [{"num_words": None, "keywords": []}, {"num_words": 3, "keywords": None, "relation": ""}]}
    assert ifeval.to_doc(row) == ifeval.to_doc(filled) == ifeval.to_doc({**row, "kwargs": [None, {"num_words": 3}]})
    assert ifeval.to_doc(row).target == ({"id": "a:b", "kwargs": {}}, {"id": "c:d", "kwargs": {"num_words": 3}})
    with pytest.raises(ValueError, match="2 instruction ids but 1 kwargs"):
        ifeval.to_doc({**row, "kwargs": [{}]})


def question(texts: list[str], labels: list[str], key: str) -> dict[str, object]:
    return {"id": "q", "question": " Which? ", "choices": {"text": texts, "label": labels}, "answerKey": key}


@pytest.mark.parametrize(
    ("labels", "key", "target"),
    [("ABCD", "D", 3), ("1234", "2", 1), ("ABC", "C", 2), ("ABCDE", "E", 4), ("ABCD", " B", 1), ("BADC", "A", 1)],
)
def test_the_gold_is_the_place_of_the_key_among_the_labels(labels: str, key: str, target: int) -> None:
    doc = labelled.to_doc(question([f"text {n}" for n in labels], list(labels), key))
    assert doc is not None
    assert (doc.target, len(doc.choices), doc.fields["question"]) == (target, len(labels), " Which? ")


def test_a_labelled_row_that_contradicts_itself_is_refused() -> None:
    assert labelled.to_doc(question(["a", "b"], ["A", "B"], "")) is None
    with pytest.raises(ValueError, match="'3' is none of the labels A, B"):
        labelled.to_doc(question(["a", "b"], ["A", "B"], "3"))
    with pytest.raises(ValueError, match="2 choices but 3 labels"):
        labelled.to_doc(question(["a", "b"], ["A", "B", "C"], "A"))


def test_labelled_rows_in_the_authors_own_layout_and_with_odd_keys() -> None:
    row = question(["a", "b"], ["1", "2"], "2")
    objects = [{"label": 1, "text": "a"}, {"label": 2, "text": "b"}]
    for change in ({}, {"choices": objects}, {"choices": objects, "answerKey": 2}):
        doc = labelled.to_doc({**row, **change})
        assert doc is not None and (doc.choices, doc.target) == (("a", "b"), 1)
    for key in (None, float("nan"), " "):
        assert labelled.to_doc({**row, "answerKey": key}) is None


def test_commonsense_qa_strips_its_question() -> None:
    doc = labelled.to_doc_commonsense_qa(question(["a", "b"], ["A", "B"], "B"))
    assert doc is not None and (doc.fields["question"], doc.target) == ("Which?", 1)


def test_a_row_is_read_from_the_requests_made_of_it_once() -> None:
    query = "Question: Is a line\nAnswer: a line?\nAnswer:"
    doc = {"id": "x", "query": query, "choices": ["yes", "no", "perhaps"], "gold": 2}
    lines = [
        {"doc": doc, "idx": n, "request": {"context": c}} for c in (f"Question: shot\nAnswer: a\n\n{query}", "Answer:") for n in range(3)
    ]
    rows = [row for line in lines if (row := labelled.from_requests(line))]
    assert rows == [
        {
            "id": "x",
            "question": "Is a line\nAnswer: a line?",
            "choices": {"text": ["yes", "no", "perhaps"], "label": ["A", "B", "C"]},
            "answerKey": "C",
        }
    ]
    named = [row for line in lines if (row := labelled.openbookqa_from_requests(line))]
    assert [row["question_stem"] for row in named] == ["Is a line\nAnswer: a line?"]
    with pytest.raises(ValueError, match="is not 'Question"):
        labelled.from_requests(
            {**lines[0], "doc": {**doc, "query": "Question: a line?\n A. yes"}, "request": {"context": "Question: a line?\n A. yes"}}
        )


def test_truthfulqa_lists_every_choice_once_for_both_scores() -> None:
    row = {
        "question": "Is it?",
        "mc1_targets": {"choices": ["No.", "Yes.", "Only mc1 has this"], "labels": [1, 0, 0]},
        "mc2_targets": {"choices": ["No.", "Never.", "Yes.", "No."], "labels": [1, 1, 0, 1]},
    }
    doc = truthfulqa.to_doc(row)
    assert doc is not None
    assert doc.choices == ("No.", "Never.", "Yes.", "Only mc1 has this")
    assert doc.fields["mc2"] == [[0, 1], [1, 1], [2, 0], [0, 1]]
    assert doc.fields["mc1"] == [[0, 1], [2, 0], [3, 0]]
    assert doc.target == (0, 1)
    with pytest.raises(ValueError, match="mc1_targets has 1 choices but 2 labels"):
        truthfulqa.to_doc({**row, "mc1_targets": {"choices": ["No."], "labels": [1, 0]}})
    empty: dict[str, list[object]] = {"choices": [], "labels": []}
    assert truthfulqa.to_doc({**row, "mc1_targets": empty, "mc2_targets": empty}) is None


def test_triviaqa_golds_are_the_aliases_not_the_value() -> None:
    answer = {"value": "River Melk", "aliases": ["The Melk", "River Melk"], "normalized_aliases": ["melk", "river melk"]}
    doc = triviaqa.to_doc({"question": "Which river?", "question_id": "t1", "answer": answer})
    assert doc is not None
    assert (doc.target, doc.fields["normalized_aliases"]) == (("The Melk", "River Melk"), ["melk", "river melk"])
    assert triviaqa.to_doc({"question": "Which river?", "answer": {**answer, "aliases": []}}) is None
