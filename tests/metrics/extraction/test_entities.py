"""Named entities in the shapes that models list them in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import DataError
from evalkit.metrics import EntityMatch
from evalkit.metrics.extraction.entities import Entity, entities
from evalkit.types import Doc, Response

TYPES = ["PER", "LOC", "ORG"]
SENTENCE = "रवि और मोहन 5 मार्च, 2020 को पुणे गए।"
RAVI, MOHAN, PUNE = ("PER", "रवि"), ("PER", "मोहन"), ("LOC", "पुणे")


@pytest.mark.parametrize(
    ("text", "found", "valid"),
    [
        ("PER: रवि\nLOC: पुणे", [RAVI, PUNE], True),
        ("**PER**: रवि\n- **LOC:** पुणे", [RAVI, PUNE], True),
        ("(PER) रवि\n[LOC] पुणे", [RAVI, PUNE], True),
        ("रवि (PER) और पुणे (LOC)", [RAVI, PUNE], True),
        ("PER: मोहन और रवि", [MOHAN, RAVI], True),
        ("**PER**\n- रवि\n\n**LOC**\n- पुणे", [RAVI, PUNE], True),
        ("### PER\nरवि\n### LOC\nपुणे", [RAVI, PUNE], True),
        ("### PER\n" + SENTENCE, [], False),
        ("B-PER: रवि\nB-LOC: पुणे", [RAVI, PUNE], True),
        ("<PER>रवि</PER> <LOC>पुणे</LOC>", [RAVI, PUNE], True),
        ("Entities: NONE", [], True),
        ("उत्तर: NONE।", [], True),
        ("There are no named entities in the sentence.", [], True),
        ("वाक्य में कोई नाम नहीं है।", [], True),
        ("PER: रवि, LOC: पुणे", [RAVI, PUNE], True),
        ("PER: रवि LOC: पुणे", [RAVI, PUNE], True),
        ("PER: रवि, मोहन; LOC: पुणे", [RAVI, MOHAN, PUNE], True),
        ("PER: [रवि, मोहन]", [RAVI, MOHAN], True),
        ("LOC: 5 मार्च, 2020", [("LOC", "5 मार्च, 2020")], True),  # the sentence has the comma
        ("PER: रवि\nNONE", [RAVI], True),
        ("PER: रवि\nLOC: NONE\nORG: none.", [RAVI], True),
        ("PER: रवि।\nLOC: पुणे।", [RAVI, PUNE], True),
        ('PER: "रवि"', [RAVI], True),
        ("PER: रवि (एक नाम)", [RAVI], True),
        ("PER:\n- रवि\n- मोहन\nLOC:\n1. पुणे", [RAVI, MOHAN, PUNE], True),
        ("रवि (PER), पुणे (LOC)", [RAVI, PUNE], True),
        ("रवि: PER\nपुणे - LOC", [RAVI, PUNE], True),
        ("| Type | Text |\n|---|---|\n| PER | रवि |\n| LOC | पुणे |", [RAVI, PUNE], True),
        ("PER：रवि", [RAVI], True),
        ("PER -> रवि", [RAVI], True),
        ('[{"type": "PER", "text": "रवि"}, {"type": "LOC", "text": "पुणे"}]', [RAVI, PUNE], True),
        ('Here they are:\n```json\n[{"entity": "रवि", "label": "PER"}]\n```', [RAVI], True),
        ('{"PER": ["रवि", "मोहन"], "LOC": "पुणे", "ORG": []}', [RAVI, MOHAN, PUNE], True),
        ('{"entities": [["रवि", "PER"]]}', [RAVI], True),
        ("{'PER': ['रवि']}", [RAVI], True),
        ('{"type": "PER", "text": "रवि"}\n{"type": "LOC", "text": "पुणे"}', [RAVI, PUNE], True),
        ('[{"entity": "B-PER", "word": "रवि"}]', [RAVI], True),
        ('{"रवि": "PER"}', [RAVI], True),
        ("Note: यह एक वाक्य है\nPER: रवि", [RAVI], True),
        ("PER: रवि, DATE: 5 मार्च", [RAVI], True),
        ("[]", [], True),
        ('{"PER": [], "LOC": []}', [], True),
        ("**NONE**", [], True),
        ("NONE।", [], True),
        ("LOC: NONE", [], True),
        ("[PER रवि] और [LOC पुणे]", [RAVI, PUNE], True),
        ("[रवि](PER) और [पुणे](LOC)", [RAVI, PUNE], True),
        ("रवि/PER और/O पुणे/LOC", [RAVI, PUNE], True),
        ("रवि B-PER\nऔर O\nपुणे B-LOC", [RAVI, PUNE], True),
        ("मार्च, B-LOC\n2020 I-LOC", [("LOC", "मार्च, 2020")], True),
        ('<entity type="PER">रवि</entity> <entity type="LOC">पुणे</entity>', [RAVI, PUNE], True),
        ("(PER, रवि)\n(LOC, पुणे)", [RAVI, PUNE], True),
        ("('रवि', 'PER')\n('पुणे', 'LOC')", [RAVI, PUNE], True),
        ("Type: PER, Text: रवि\nType: LOC, Text: पुणे", [RAVI, PUNE], True),
        ("- type: PER\n  text: रवि\n- type: LOC\n  text: पुणे", [RAVI, PUNE], True),
        ("रवि is a PER and पुणे is a LOC.", [RAVI, PUNE], True),
        ("PER रवि\nLOC पुणे", [RAVI, PUNE], True),
        ("PER,रवि\nLOC,पुणे", [RAVI, PUNE], True),
        ("PER (1): रवि", [RAVI], True),
        ("<ul><li>PER: रवि</li><li>LOC: पुणे</li></ul>", [RAVI, PUNE], True),
        ("| # | Type | Text |\n|---|---|---|\n| 1 | PER | रवि |\n| 2 | LOC | पुणे |", [RAVI, PUNE], True),
        ("| Type | Text |\n|---|---|\n| NONE | |", [], True),
        ('[{"type": "PER", "entities": ["रवि", "मोहन"]}]', [RAVI, MOHAN], True),
        ("PER: रवि\nLOC: पुणे\nORG: []", [RAVI, PUNE], True),
        ("PER: रवि\nLOC: None found\nORG: no", [RAVI], True),
        ("PER:\nLOC:\nORG:", [], True),
        ("PER: []\nLOC: []\nORG: []", [], True),
        ("PER:\nLOC:", [], False),  # and ORG?
        ("NONE (there are no names)", [], True),
        ("The answer is NONE", [], True),
        ("There are none.", [], True),
        ('{"PER": "NONE"}', [], True),
        ("LOC: पुणे<|im_end|>", [PUNE], True),
        ("Here they are:\n\nPER: रवि\n\nLOC: पुणे", [RAVI, PUNE], True),
        ("दिल्ली/LOC", [], False),  # not in the sentence
        ("Note: यह एक वाक्य है", [], False),
        ("DATE: 5 मार्च", [], False),
        ('[{"type": "DATE", "text": "5 मार्च"}]', [], False),
        ("SUPER: रवि", [], False),
        ("मुझे नहीं पता", [], False),
        ("", [], False),
    ],
)
def test_the_entities_an_answer_names(text: str, found: list[Entity], valid: bool) -> None:
    assert entities(text, TYPES, SENTENCE) == (found, valid)


NAMES = st.sampled_from(["रवि", "न्यू डेल्ही", "Ravi Kumar", "সুমন", "ராணி", "کراچی", "A-1", "O'Neil", "पी. वी. राव"])
NAMED = st.lists(st.tuples(st.sampled_from(TYPES), NAMES), min_size=1, max_size=4)
LINE = st.sampled_from(
    [
        "{}: {}",
        "{} : {}।",
        "- {}: {}",
        "* **{}**: {}",
        "**{}:** {}",
        "1. {}: “{}”",
        "• `{}`: `{}`",
        "{}：{}",
        "{} - {}",
        "{} = {}",
        "[{}]: {}",
        "| {} | {} |",
    ]
)


def shaped(named: list[Entity], shape: str) -> str:
    if shape == "objects":
        return json.dumps([{"text": name, "type": kind} for kind, name in named], ensure_ascii=False)
    if shape == "fenced":
        return f"Sure:\n```json\n{shaped(named, 'objects')}\n```\nDone."
    if shape == "one line":
        return ", ".join(f"{kind}: {name}" for kind, name in named)
    if shape == "after prose":
        return "Entities:\n" + "\n".join(f"{kind}: {name}" for kind, name in named) + "\nNONE"
    return json.dumps({"entities": [[name, kind] for kind, name in named]})


@given(NAMED, LINE, st.booleans())
def test_lines_in_every_dress(named: list[Entity], line: str, lower: bool) -> None:
    said = "\n".join(line.format(kind.lower() if lower else kind, name) for kind, name in named)
    assert entities(said, TYPES) == (named, True), said


@given(NAMED, st.sampled_from(["objects", "fenced", "one line", "after prose", "pairs"]))
def test_every_shape_names_the_same(named: list[Entity], shape: str) -> None:
    assert entities(shaped(named, shape), TYPES) == (named, True), shaped(named, shape)


TAGGED = {
    "brackets": lambda kind, name: f"[{kind} {name}]",
    "links": lambda kind, name: f"[{name}]({kind})",
    "XML": lambda kind, name: f"<{kind}>{name}</{kind}>",
    "attributes": lambda kind, name: f'<ne type="{kind}">{name}</ne>',
    "pairs": lambda kind, name: f"('{name}', '{kind}')",
    "BIO": lambda kind, name: "\n".join(f"{word} {'I' if place else 'B'}-{kind}" for place, word in enumerate(name.split())) + "\n",
    "keys": lambda kind, name: f"Type: {kind}, Text: {name}\n",
}


@given(
    st.permutations(["रवि", "न्यू डेल्ही", "Ravi Kumar", "সুমন", "A-1"]),
    st.lists(st.sampled_from(TYPES), min_size=1, max_size=4),
    st.sampled_from([*TAGGED]),
)
def test_every_way_to_tag_a_sentence_names_the_same(names: list[str], kinds: list[str], way: str) -> None:
    named = list(zip(kinds, names, strict=False))
    said = " ".join(TAGGED[way](kind, name) for kind, name in named)
    assert entities(said, TYPES, " कल ".join(names)) == (named, True), said


@given(st.sampled_from(["Note", "Sentence", "DATE", "PERSON", "Language", "वाक्य"]), NAMES)
def test_other_words_before_a_colon_are_no_types(word: str, name: str) -> None:
    assert entities(f"{word}: {name}", TYPES) == ([], False)
    assert entities(f"{word}: {name}\nPER: {name}", TYPES)[0] == [("PER", name)]


@given(st.text() | st.text(st.sampled_from("PERLOC:：|[]{}\"',-*\n रवि()NONE")))
def test_no_text_breaks_the_reader(text: str) -> None:
    found, valid = entities(text, TYPES, SENTENCE)
    assert all(kind in TYPES and name for kind, name in found) and (valid or not found)


@pytest.mark.parametrize("piece", ["PER: ", "[", '{"a":', "x, ", "( ", "PER (", "a: "])
def test_a_model_in_a_loop_has_said_nothing(piece: str) -> None:
    assert entities(piece * 3_000, TYPES, SENTENCE) == ([], False)


def test_a_row_of_a_table_in_a_loop_names_what_the_sentence_lacks() -> None:
    found, said = entities("| PER " * 3_000, TYPES, SENTENCE)
    assert said and all(text not in SENTENCE for _, text in found)


def test_what_cannot_be_read_is_invalid_and_a_row_has_types() -> None:
    doc = Doc("d", {"entities": [{"type": "PER", "text": "रवि"}], "types": TYPES, "text": SENTENCE})
    score = EntityMatch("precision").score(doc, [Response("k", "ok", text="Note: रवि")])
    assert (score.value, score.flags, score.prediction) == (0, ("invalid",), [])
    with pytest.raises(DataError, match="document d: field 'types' None is no list of texts"):
        EntityMatch().check(Doc("d", {"entities": []}))
