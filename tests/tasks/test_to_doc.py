from __future__ import annotations

import pytest

from evalkit.tasks import flores_in, gsm8k, hellaswag, ifeval, mmlu, nq_open, winogrande

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
