"""Prompts of the Indic tasks, written out here from the published protocol: nothing in this file is taken from conf/ or tasks/."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_method, instantiate

from evalkit.task import Task
from evalkit.types import GenerateRequest, LoglikelihoodRequest

CONF = Path(__file__).resolve().parents[2] / "conf"
COPA = {"premise": "बगीचे की मिट्टी सूख गई।", "choice1": "A कई दिन", "choice2": "Bलोग ", "question": "cause", "label": 1}
XNLI = {"premise": "मीरा ने ट्रेन पकड़ी।", "hypothesis": "मीरा ने यात्रा की।", "label": 0, "language": "hi"}
REVIEW = {"LABEL": " Negative ", "INDIC REVIEW": "खराब है।", "language": "hi"}
PARA = {"sentence1": "एक", "sentence2": "दो", "label": "1", "language": "hi"}

ASK_SENTIMENT = (
    "What is the sentiment of the given text?\nAnswer 0 if the sentiment is positive and 1 if the sentiment is negative. "
    "Output the final answer as Answer: <Answer> where <Answer> is the final answer which is 0/1.\n\nText: खराब है।\nभाव\nAnswer:"
)
ASK_NLI = (
    "Does the premise entail, contradict, or is neutral with respect to the hypothesis?\nAnswer 0 if premise entails the hypothesis, "
    "1 if premise is neutral with respect to the hypothesis and 2 if it contradicts. Output the final answer as Answer: <Answer> where "
    "<Answer> is the final answer which is 0/1/2.\n\nPremise: मीरा ने ट्रेन पकड़ी।\nHypothesis: मीरा ने यात्रा की।\nAnswer:"
)
ASK_PARA = (
    "Are the given two sentences paraphrases of each other?\nAnswer 0 if both are not paraphrases of each other and 1 if the sentences "
    "are paraphrases of each other. Output the final answer as Answer: <Answer> where <Answer> is the final answer which is 0/1.\n\n"
    "Sentence 1: एक\nSentence 2: दो\nAnswer:"
)
SYSTEM = {
    "indic_sentiment": "Think and answer.Read the text carefully and determine its sentiment. If the sentiment is positive, answer 0. "
    "If the sentiment is negative, answer 1. Put the final answer as Answer: <Answer> where <Answer> is 0/1.",
    "indic_copa": "Think and answer. Read the text carefully and determine the correct alternative. If option A is correct then return A, "
    "if option B is correct then return B. Put the final answer as Answer: <Answer> where <Answer> is A/B.",
    "indic_xparaphrase": "Think step by step before you answer. Put the final answer as Answer: <Answer> where <Answer> is 0/1.\n",
    "indic_xnli": "Think step by step before you answer. Put the final answer as Answer: <Answer> where <Answer> is 0/1/2.\n",
}
ASK_COPA = "बगीचे की मिट्टी सूख गई\nक्योंकि\nA: a कई दिन\nB: bलोग\nAnswer:"
TURNS = [{"role": "user", "content": "एक?"}, {"role": "assistant", "content": "हाँ।"}, {"role": "user", "content": "दो?"}]


@cache
def task(name: str) -> Task:
    with initialize_config_dir(str(CONF), version_base=None):
        made = instantiate(compose(overrides=[f"+task={name}"]).tasks[name])
    assert isinstance(made, Task)
    return made


def ask(name: str, row: dict[str, Any], chat: bool = False, shots: tuple[dict[str, Any], ...] = ()) -> Any:
    made = task(name)
    to_doc = get_method(made.data.to_doc)
    return made.prompt.render(name, to_doc(row), tuple(to_doc(shot) for shot in shots), chat)


@pytest.mark.parametrize(
    ("name", "row", "user", "tokens"),
    [
        ("indic_sentiment", REVIEW, ASK_SENTIMENT, 256),
        ("indic_copa", {**COPA, "language": "hi"}, ASK_COPA, 256),
        ("indic_xparaphrase", PARA, ASK_PARA, 2048),
        ("indic_xnli", XNLI, ASK_NLI, 2048),
    ],
)
def test_generated_forms(name: str, row: dict[str, Any], user: str, tokens: int) -> None:
    plain, chat = ask(name, row), ask(name, row, chat=True)
    assert isinstance(plain, GenerateRequest) and plain.prompt == SYSTEM[name] + user
    assert [(m.role, m.content) for m in chat.prompt] == [("system", SYSTEM[name]), ("user", user)]
    assert (plain.params.max_new_tokens, plain.params.stop, plain.params.temperature) == (tokens, ("</s>",), 0.0)


@pytest.mark.parametrize(
    ("name", "row", "context", "continuations"),
    [
        ("indic_sentiment_logprob", REVIEW, ASK_SENTIMENT, [" खराब है।, भाव? सकारात्मक", " खराब है।, भाव? नकारात्मक"]),
        ("indic_copa_logprob", {**COPA, "language": "hi"}, ASK_COPA, [" A", " B"]),
        ("indic_copa_cloze", {**COPA, "language": "hi"}, "बगीचे की मिट्टी सूख गई क्योंकि", [" a कई दिन", " bलोग "]),
        ("indic_xparaphrase_logprob", PARA, "", [" एक, सही? नहीं, दो", " एक, सही? हाँ, दो"]),
        (
            "indic_xnli_logprob",
            XNLI,
            "",
            [f" मीरा ने ट्रेन पकड़ी।, सही? {word}, मीरा ने यात्रा की।" for word in ("हाँ", "इसलिए", "नहीं")],
        ),
    ],
)
def test_ranked_forms(name: str, row: dict[str, Any], context: str, continuations: list[str]) -> None:
    request = ask(name, row)
    assert isinstance(request, LoglikelihoodRequest)
    assert request.pairs == tuple((context, text) for text in continuations)
    assert task(name).chat is None


@pytest.mark.parametrize(
    ("code", "kind", "connector"),
    [("ta", "cause", "காரணமாக"), ("ta", "effect", "எனவே"), ("or", "effect", "ଏହିକାରଣରୁ"), ("ur", "effect", "لہٰذا"), ("as", "cause", "কাৰণত")],
)
def test_connectors(code: str, kind: str, connector: str) -> None:
    assert f"\n{connector}\nA: " in ask("indic_copa", {**COPA, "question": kind, "language": code}).prompt


def test_question_words_of_every_language() -> None:
    for name, row in (("indic_xnli_logprob", XNLI), ("indic_sentiment_logprob", REVIEW), ("indic_xparaphrase_logprob", PARA)):
        seen = {code: [k for _, k in ask(name, {**row, "language": code}).pairs] for code in task(name).languages}
        assert all(len(set(texts)) == len(texts) for texts in seen.values())
    gujarati = [k for _, k in ask("indic_xnli_logprob", {**XNLI, "language": "gu"}).pairs]
    assert "સાચું? નહીં, " in gujarati[2]  # the other harness has another word for no


def test_indic_qa_names_the_two_letter_code() -> None:
    row = {"context": "तारलो में मेला लगता है।", "question": "कहाँ?", "answers": {"text": ["तारलो"], "answer_start": [0]}, "language": "hi"}
    request = ask("indic_qa", row)
    assert request.prompt == (
        "Generate answer in hi for the question and output only the answer with no extra information. If the answer is not present in "
        "the passage return empty string.\nBased on the given passage:\nतारलो में मेला लगता है।\nQ: कहाँ?\nA:"
    )
    assert (request.params.max_new_tokens, request.params.stop) == (256, ("</s>",))


def test_crosssum_joins_description_and_shot() -> None:
    row, shot = {"text": "The bridge reopened.", "summary": "पुल खुला।", "lang": "hi"}, {"text": "Rain.", "summary": "बारिश।", "lang": "hi"}
    request = ask("crosssum_in", row, shots=(shot,))
    assert request.prompt == (
        "I will first show a news article in English. Provide a summary of it in the Hindi language. Only output the summary and nothing "
        "else. You're given few-shot examples to help you answer.Summarize the following article: Rain.\nSummary: बारिश।\n\n"
        "Summarize the following article: The bridge reopened.\nSummary:"
    )
    assert (request.params.max_new_tokens, request.params.stop, task("crosssum_in").num_fewshot) == (512, ("\n\n",), 1)


@pytest.mark.parametrize("names", [("eng_Latn", "hin_Deva"), ("sentence_eng_Latn", "sentence_hin_Deva")], ids=["parquet", "script"])
def test_in22_reads_both_layouts(names: tuple[str, str]) -> None:
    row = {"id": 5, "domain": "tourism", names[0]: "The fort opens.", names[1]: "किला खुलता है।", "language": "hi"}
    head = "Directly start your answer with the translation and only output the translation and nothing else.\nTranslate the following:\n\n"
    assert ask("in22_en_xx", row).prompt == f"{head}To Hindi: The fort opens.\nOutput:"
    assert ask("in22_xx_en", row).prompt == f"{head}To English: किला खुलता है।\nOutput:"
    to_doc = get_method(task("in22_xx_en").data.to_doc)
    doc = to_doc(row)
    assert (doc.target, doc.language) == ("The fort opens.", "hi") and "eng_Latn" not in doc.fields
    with pytest.raises(ValueError, match=r"no sentence in tam_Taml \(or sentence_tam_Taml\)"):
        to_doc({**row, "language": "ta"})


def test_bharatbench_templates() -> None:
    base = {"id": "x", "language": "hi"}
    grammar = {**base, "incorrect": "वह जाती हूँ।", "correct": ["वह जाती है।", "वह जाता है।"]}
    assert ask("bharatbench_grammar_correction", grammar, shots=(grammar,)).prompt == (
        "Correct the grammar of the following Hindi sentence. Output only the corrected sentence.\n\n"
        "Sentence: वह जाती हूँ।\nCorrected: वह जाती है।\n\nSentence: वह जाती हूँ।\nCorrected:"
    )
    label = {**base, "text": "मैच हुआ।", "labels": ["खेल", "राजनीति"], "label": "खेल"}
    for form in ("bharatbench_text_classification", "bharatbench_text_classification_logprob"):
        request = ask(form, label, shots=(label,))
        prompt = request.prompt if isinstance(request, GenerateRequest) else request.pairs[0][0]
        assert prompt == (
            "Classify the Hindi text into one of: खेल, राजनीति. Output only the label.\n\nText: मैच हुआ।\nLabel: खेल\n\nText: मैच हुआ।\nLabel:"
        )
    assert [k for _, k in ask("bharatbench_text_classification_logprob", label).pairs] == [" खेल", " राजनीति"]
    entities = {**base, "text": "रवि पुणे गया।", "types": ["PER", "LOC"]}
    named = {**entities, "entities": [{"text": "रवि", "type": "PER"}, {"text": "पुणे", "type": "LOC"}]}
    assert ask("bharatbench_ner", named, shots=(named, {**entities, "entities": []})).prompt == (
        "List the named entities of the Hindi sentence, one per line as TYPE: text. Types: PER, LOC. Write NONE if there are none.\n\n"
        "Sentence: रवि पुणे गया।\nEntities:\nPER: रवि\nLOC: पुणे\n\nSentence: रवि पुणे गया।\nEntities:\nNONE\n\n"
        "Sentence: रवि पुणे गया।\nEntities:"
    )
    question = ask("bharatbench_indian_cultural_context", {**base, "question": "क्या?", "reference": "यह।", "category": "food"}, chat=True)
    assert [(m.role, m.content) for m in question.prompt] == [("user", "क्या?")]


def test_conversations_keep_the_gold_history() -> None:
    row = {"id": "x", "language": "hi", "messages": TURNS, "reference": "तीन।"}
    chat, plain = ask("bharatbench_multi_turn", row, chat=True), ask("bharatbench_multi_turn", row)
    assert [(m.role, m.content) for m in chat.prompt] == [(t["role"], t["content"]) for t in TURNS]
    assert chat.params.stop == () and plain.params.stop == ("\nUser:",)
    assert plain.prompt == "User: एक?\nAssistant: हाँ।\nUser: दो?\nAssistant:"
    passage = ask("bharatbench_multi_turn_comprehension", {**row, "passage": "तारलो में मेला है।"})
    assert passage.prompt == "User: तारलो में मेला है।\n\nएक?\nAssistant: हाँ।\nUser: दो?\nAssistant:"
    translation = ask("bharatbench_multi_turn_translation", {**row, "target_language": "en"}, chat=True)
    assert translation.prompt == chat.prompt
