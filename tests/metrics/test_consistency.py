"""Language consistency, on sentences of which a reader knows the language."""

from __future__ import annotations

import pytest

from evalkit.errors import ConfigError, DataError
from evalkit.languages import LANGUAGES
from evalkit.metrics import LanguageConsistency
from evalkit.metrics.languages import letters_by_script
from evalkit.types import Doc, Response, SampleScore

HINDI = "कल शाम को बाज़ार में बहुत भीड़ थी, इसलिए हम लोग जल्दी घर लौट आए और खाना बनाने लगे।"
MARATHI = "काल संध्याकाळी बाजारात खूप गर्दी होती, म्हणून आम्ही लवकर घरी परतलो आणि स्वयंपाक करायला लागलो."
BENGALI = "গতকাল সন্ধ্যায় বাজারে খুব ভিড় ছিল, তাই আমরা তাড়াতাড়ি বাড়ি ফিরে রান্না করতে শুরু করলাম।"
ASSAMESE = "কালি গধূলি বজাৰত বহুত ভিৰ আছিল, সেয়েহে আমি সোনকালে ঘৰলৈ উভতি আহি ভাত ৰান্ধিবলৈ আৰম্ভ কৰিলোঁ।"
URDU = "کل شام بازار میں بہت بھیڑ تھی، اس لیے ہم جلدی گھر لوٹ آئے اور کھانا پکانے لگے۔"
ENGLISH = "The market was very crowded yesterday evening, so we came home early and began to cook."
ROMAN = "kal shaam ko bazaar mein bahut bheed thi, isliye hum log jaldi ghar laut aaye aur khana banane lage"
TAMIL = "நேற்று மாலை சந்தையில் மிகவும் கூட்டமாக இருந்தது."
ODIA = "ଗତକାଲି ସନ୍ଧ୍ୟାରେ ବଜାରରେ ବହୁତ ଭିଡ଼ ଥିଲା।"
LANGUAGE, SCRIPT = LanguageConsistency(), LanguageConsistency(measure="script")


def score(text: str, language: str, metric: LanguageConsistency = LANGUAGE) -> SampleScore:
    return metric.score(Doc("d", {}, language=language), [Response("k", "ok" if text.strip() else "empty", text=text)])


@pytest.mark.parametrize(
    ("text", "language"),
    [(HINDI, "hi"), (MARATHI, "mr"), (BENGALI, "bn"), (ASSAMESE, "as"), (URDU, "ur"), (ENGLISH, "en"), (TAMIL, "ta"), (ODIA, "or")],
)
def test_every_sentence_is_its_own_language_and_no_other(text: str, language: str) -> None:
    for other in ("hi", "mr", "bn", "as", "ur", "en", "ta", "or", "te", "pa"):
        assert score(text, other).value == float(other == language), other
    assert score(text, language, SCRIPT).value == 1.0
    assert letters_by_script(text, LANGUAGES[language].scripts)[1] >= 20


def test_languages_of_one_script_share_the_script_and_not_the_language() -> None:
    assert score(MARATHI, "hi", SCRIPT).value == 1.0 and score(MARATHI, "hi").value == 0.0
    assert score(MARATHI, "hi").prediction == "mr"


def test_romanised_hindi_is_neither_hindi_nor_english() -> None:
    assert score(ROMAN, "hi").value == 0.0 and score(ROMAN, "en").value == 0.0
    assert score(ROMAN, "hi", SCRIPT).value == 0.0 and score(ROMAN, "en", SCRIPT).value == 1.0


def test_a_share_counts_letters_with_their_signs() -> None:
    assert score("कि ab", "hi", SCRIPT).value == 0.5
    assert score("कि 123 !?। ab", "hi", SCRIPT).value == 0.5  # digits, signs and the danda belong to no language
    assert score("🙂 ₹ 12", "hi", SCRIPT).value is None


def test_what_the_prompt_asks_for_in_other_letters_is_left_out() -> None:
    letter = LanguageConsistency(measure="script", ignore=r"Answer\s*:?|\b[AB]\b")
    assert score("पहला सही है। Answer: A", "hi", letter).value == 1.0 and score("पहला सही है। Answer: A", "hi", SCRIPT).value < 1.0  # type: ignore[operator]
    assert "no_letters" in score(" B", "hi", letter).flags and score("Because. Answer: A", "hi", letter).value == 0.0
    entities = LanguageConsistency(measure="script", ignore=r"(?m)^[^:\n]*:|\bNONE\b")
    assert score("PER: रवि\nLOC: Pune", "hi", entities).value == pytest.approx(3 / 7)  # three letters and signs next to four
    assert "no_letters" in score("NONE", "hi", entities).flags
    assert "ignore:" in letter.summarize([]).signature and "ignore:" not in SCRIPT.summarize([]).signature
    with pytest.raises(ConfigError, match=r"ignore='\(' is no regular expression"):
        LanguageConsistency(ignore="(")


def test_a_rows_own_latin_labels_are_left_out_where_another_script_is_expected() -> None:
    metric = LanguageConsistency(measure="script", ignore_fields=["labels"])
    fields = {"labels": [["Sports"], "Business News", "खेल"]}

    def share(text: str, language: str) -> float | None:
        return metric.score(Doc("d", fields, language=language), [Response("k", "ok", text=text)]).value

    assert share("sports", "hi") is None and share("**Business News**, क्योंकि", "hi") == 1.0
    assert share("Sports, because", "hi") == 0.0 and share("Sportswear", "hi") == 0.0  # words that nobody asked for
    assert share("खेल", "hi") == 1.0  # a label in the language's own letters is judged
    assert share("Sports", "en") == 1.0
    assert "ignore_fields:labels" in metric.summarize([]).signature


GENERATED = {
    "indic_sentiment": ["Answer: 0", "**Answer:** 1", "answer: positive", "Final Answer: 0", "\\boxed{1}"],
    "indic_copa": ["Answer: A", "**Answer: (b)**", "Option B", "\\boxed{A}"],
    "indic_xnli": ["Answer: 2", "answer: contradiction", "ANSWER: 1"],
    "indic_xparaphrase": ["Answer: 1", "Answer: yes", "answer is 0"],
    "bharatbench_ner": ["PER: {}", "- **LOC**: {}", "NONE", "Entities:\nORG: {}"],
    "bharatbench_text_classification": ["Sports", "Label: Sports"],
    "bharatbench_grammar_correction": ["Corrected: {}"],
    "flores_in_en_xx": ["Output: {}", "**Output:** {}"],
    "in22_en_xx": ["Output: {}"],
    "crosssum_in": ["Summary: {}"],
    "indic_qa": ["A: {}"],
    "bharatbench_multi_turn": ["Assistant: {}"],
}


@pytest.mark.parametrize("task", GENERATED)
def test_every_generated_row_leaves_out_what_its_prompt_asks_for(task: str) -> None:
    from evalkit.config.compose import compose
    from evalkit.tasks.indic_xnli import OPTIONS
    from evalkit.tasks.indic_xparaphrase import ENGLISH

    metrics = compose([f"task={task}"])["tasks"][task]["metrics"]
    found = [{k: v for k, v in m.items() if k != "_target_"} for m in metrics if m["_target_"].endswith("LanguageConsistency")]
    assert len(found) == 2
    options = {"indic_xnli": OPTIONS, "indic_xparaphrase": ENGLISH, "indic_sentiment": ("positive", "negative")}.get(task, ())
    fields = {
        "types": ["PER", "LOC", "ORG"],
        "labels": ["Sports", "Politics"],
        "options": options,
        "target_code": "hi",
        "target_language": "hi",
    }
    for settings in found:
        metric = LanguageConsistency(**settings)
        for said in GENERATED[task]:
            answer = said.format("") if "boxed" not in said else said
            alone = metric.score(Doc("d", fields, language="hi"), [Response("k", "ok", text=answer)])
            behind = metric.score(Doc("d", fields, language="hi"), [Response("k", "ok", text=f"{answer}\n{HINDI}")])
            assert (alone.value, behind.value) == (None, 1.0), (settings, said)


@pytest.mark.parametrize("text", ["", "  ", "42", "१२", "। ?"])
def test_without_letters_there_is_nothing_to_judge(text: str) -> None:
    got = score(text, "hi")
    assert got.value is None and "no_letters" in got.flags
    summary = LANGUAGE.summarize([got, score(HINDI, "hi")])
    assert (summary.value, summary.n, summary.n_not_measured) == (1.0, 1, 1)
    assert summary.note == "1 without letters, not measured"


def test_a_short_answer_is_judged_by_its_script_and_counted() -> None:
    label = score("हाँ", "mr")
    assert label.value == 1.0 and label.flags == ("short",)
    assert score("yes", "mr").value == 0.0 and score("yes", "mr").flags == ()
    assert "1 too short" in LANGUAGE.summarize([label]).note
    assert score("ஆம்", "ta").flags == ()  # nothing to distinguish Tamil from


def test_failed_answers_and_several_samples() -> None:
    doc = Doc("d", {}, language="hi")
    failed = LANGUAGE.score(doc, [Response("k", "error")])
    assert failed.value is None and failed.flags == ("error",)
    both = LANGUAGE.score(doc, [Response("k", "ok", text=HINDI), Response("k", "ok", text=ENGLISH)])
    assert both.value == 0.5 and both.prediction == ("hi", "not Devanagari")


def test_the_expected_language_may_be_in_a_field_or_set() -> None:
    doc = Doc("d", {"target_code": "en"}, language="hi")
    answer = [Response("k", "ok", text=ENGLISH)]
    assert LanguageConsistency(language_field="target_code").score(doc, answer).value == 1.0
    assert LanguageConsistency(language="en").score(doc, answer).value == 1.0
    assert LANGUAGE.score(doc, answer).value == 0.0


def test_by_language_with_signature() -> None:
    summary = LANGUAGE.summarize([score(HINDI, "hi"), score(HINDI, "mr"), score(TAMIL, "ta")])
    assert {name: group.value for name, group in summary.groups.items()} == {"hi": 1.0, "mr": 0.0, "ta": 1.0}
    assert summary.signature.startswith("in_language|short:<40|py3langid:")
    assert SCRIPT.summarize([]).metric == "in_script"


def test_unknown_languages_and_settings() -> None:
    with pytest.raises(DataError, match="language 'xx'"):
        LANGUAGE.check(Doc("d", {}, language="xx"))
    with pytest.raises(DataError, match="language None"):
        LANGUAGE.check(Doc("d", {}))
    with pytest.raises(ConfigError, match="measure='both'"):
        LanguageConsistency(measure="both")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="language='xx'"):
        LanguageConsistency(language="xx")
