"""BERTScore against bert-score's own `score()`, with encoders made on the spot."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.metrics import BatchMetric, BertScore
from evalkit.metrics.bertscore import encoders, vectors
from evalkit.metrics.bertscore.encoders import EncoderSpec
from evalkit.run.score import score_task
from evalkit.types import Doc, Evidence, Response, SampleScore

TEXT = "नदी के पार एक पुराना किला है शहर से दूर the old fort stands across a quiet river পুল ভেঙে গেছে"
WORDS = TEXT.split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def save_bert(folder: Path, letters: str = "".join(WORDS), seed: int = 0, limit: int | None = 512) -> None:
    """A random BERT of three layers whose vocabulary is the letters given; `limit` is what its tokenizer says of length."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    chars = sorted(set(letters))
    folder.mkdir(exist_ok=True)
    vocab = folder / "vocab.txt"
    vocab.write_text("\n".join([*SPECIAL, *chars, *(f"##{c}" for c in chars)]), encoding="utf-8")
    told = {"model_max_length": limit} if limit else {}
    BertTokenizer(vocab=str(vocab), do_lower_case=False, strip_accents=False, **told).save_pretrained(folder)
    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(SPECIAL) + 2 * len(chars), initializer_range=0.5, **sizes)).save_pretrained(folder)


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bert")
    save_bert(folder)
    return str(folder)


@pytest.fixture
def metric(bert: str) -> BertScore:
    return BertScore(encoder=bert, layer=2, batch_size=8)


def sentences(n: int, seed: int, most: int = 12) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, most))) for _ in range(n)]


def corpus(answers: Sequence[str], golds: Sequence[Any], **about: Any) -> tuple[list[Doc], dict[str, list[Response]]]:
    docs = [Doc(f"d{i}", {}, target=gold, **about) for i, gold in enumerate(golds)]
    return docs, {d.id: [Response("k", "ok" if a.strip() else "empty", text=a)] for d, a in zip(docs, answers, strict=True)}


def values(scores: Sequence[SampleScore]) -> list[float]:
    assert all(s.value is not None for s in scores), scores
    return [s.value for s in scores if s.value is not None]


@pytest.mark.parametrize("idf", [False, True])
def test_every_number_is_the_librarys(metric: BertScore, bert: str, idf: bool) -> None:
    import bert_score

    answers, golds = sentences(60, 1), sentences(60, 2)
    _, _, theirs = bert_score.score(answers, golds, model_type=bert, num_layers=2, idf=idf, nthreads=0, batch_size=1)
    ours = values(replace(metric, idf=idf).score_all(*corpus(answers, golds)))
    assert ours == pytest.approx(theirs.tolist(), abs=1e-6)
    assert len(set(ours)) > 50 and max(ours) - min(ours) > 0.05


def test_several_references_take_the_best(metric: BertScore, bert: str) -> None:
    import bert_score

    answers = sentences(9, 3)
    golds = [tuple(sentences(1 + i % 3, 10 + i)) for i in range(9)]
    _, _, theirs = bert_score.score(answers, [list(g) for g in golds], model_type=bert, num_layers=2)
    assert values(metric.score_all(*corpus(answers, golds))) == pytest.approx(theirs.tolist(), abs=1e-6)
    first = replace(metric, references="first")
    alone = values(metric.score_all(*corpus(answers, [g[0] for g in golds])))
    assert values(first.score_all(*corpus(answers, golds))) == pytest.approx(alone, abs=1e-6)
    assert "nrefs:1" in first.summarize([]).signature and "nrefs:var" in metric.summarize([]).signature


def test_the_library_still_crashes_on_an_empty_answer(bert: str) -> None:
    """When this fails, `Encoder._ids` may call `sent_encode` for every text."""
    import bert_score

    with pytest.raises(AttributeError, match="build_inputs_with_special_tokens"):
        bert_score.score([""], ["नदी"], model_type=bert, num_layers=2)


@pytest.mark.parametrize("nothing", ["", "  \n", "\u0000", "\u200b \ufeff"])
def test_an_answer_without_text_scores_zero_and_is_flagged(metric: BertScore, nothing: str) -> None:
    docs, answers = corpus([nothing, "नदी के पार"], ["नदी", "नदी के पार"])
    empty, same = metric.score_all(docs, answers)
    assert empty.value == 0.0 and same.value == pytest.approx(1.0, abs=1e-6)
    assert (empty.flags == ("empty",)) == (not nothing.strip())
    summary = metric.summarize([empty, same])
    assert summary.n == 2 and summary.value == pytest.approx(0.5, abs=1e-6)


def test_a_failed_answer_is_not_measured(metric: BertScore) -> None:
    docs, answers = corpus(["नदी", "x", "पार"], ["नदी", "किला", "पार"])
    answers["d1"] = [Response("k", "error")]
    del answers["d2"]
    scores = metric.score_all(docs, answers)
    assert [s.value is None for s in scores] == [False, True, True]
    summary = metric.summarize(scores)
    assert (summary.n, summary.n_not_measured, summary.note) == (1, 2, "")


def test_several_samples_are_averaged(metric: BertScore) -> None:
    doc = Doc("d", {}, target="नदी के पार")
    one, other = (metric.score(doc, [Response("k", "ok", text=t)]).value for t in ("नदी", "शहर से दूर"))
    both = metric.score(doc, [Response("k", "ok", text="नदी"), Response("k", "ok", text="शहर से दूर")])
    assert both.value == pytest.approx((one + other) / 2, abs=1e-6)  # type: ignore[operator]
    assert both.prediction == ("नदी", "शहर से दूर")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[int]]:
    """How many texts each call of the encoder had, from an empty cache on."""
    import bert_score.utils

    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    seen: list[int] = []
    encode = bert_score.utils.bert_encode
    monkeypatch.setattr(bert_score.utils, "bert_encode", lambda model, x, **more: seen.append(len(x)) or encode(model, x, **more))
    encoders.attempt.cache_clear()
    yield seen
    encoders.attempt.cache_clear()


def kept(cache: Path) -> list[Path]:
    return sorted(cache.glob("bertscore/*/*"))


@pytest.mark.parametrize("process", ["the same", "a new one"])
def test_references_are_encoded_once_and_reuse_changes_no_bit(metric: BertScore, encoded: list[int], tmp_path: Path, process: str) -> None:
    golds, first, second = sentences(40, 5), sentences(40, 6), sentences(40, 7)
    docs, answers = corpus(second, golds)
    answers["d3"], answers["d4"] = [Response("k", "error")], [Response("k", "empty", text="")]
    fresh = [s.value for s in metric.score_all(docs, answers)]
    shutil.rmtree(tmp_path / "cache")
    encoders.attempt.cache_clear()
    encoded.clear()
    metric.score_all(*corpus(first, golds))
    cold = sum(encoded)
    encoded.clear()
    if process == "a new one":
        encoders.attempt.cache_clear()
    # Another metric object, as the next model of a sweep has; two of its answers are missing.
    again = [s.value for s in replace(metric, name="again").score_all(docs, answers)]
    assert sum(encoded) <= 40 and cold > 70
    assert again == fresh and again.count(None) == 1 and again.count(0.0) == 1


def test_vectors_on_disk_belong_to_one_encoder_and_layer(metric: BertScore, encoded: list[int], tmp_path: Path) -> None:
    save_bert(tmp_path / "twin", seed=1)
    docs = corpus(sentences(8, 1), sentences(8, 2))
    scores = []
    for change in ({}, {"layer": 1}, {"encoder": str(tmp_path / "twin")}):
        encoded.clear()
        scores.append(values(replace(metric, **change).score_all(*docs)))
        assert sum(encoded) == 16
    assert len({tuple(s) for s in scores}) == 3 and len(kept(tmp_path / "cache")) == 3


@pytest.mark.parametrize("damage", ["cut", "other tensors", "gone"])
def test_a_damaged_file_of_vectors_is_made_again(metric: BertScore, encoded: list[int], tmp_path: Path, damage: str) -> None:
    import torch
    from safetensors.torch import save_file

    docs = corpus(sentences(8, 1), sentences(8, 2))
    fresh = values(metric.score_all(*docs))
    (file,) = kept(tmp_path / "cache")
    whole = file.read_bytes()
    if damage == "cut":
        file.write_bytes(whole[:-9])
    elif damage == "other tensors":
        save_file({"ids": torch.zeros(2)}, file)
    else:
        file.unlink()
    encoders.attempt.cache_clear()
    encoded.clear()
    assert values(metric.score_all(*docs)) == fresh and sum(encoded) == 16 and file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_costs_no_score(metric: BertScore, encoded: list[int], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(values(metric.score_all(*corpus(sentences(4, 1), sentences(4, 2))))) == 4


def test_the_shelf_of_references_is_bounded(metric: BertScore, encoded: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MEMORY_BYTES", 20_000)
    monkeypatch.setattr(vectors, "DISK_BYTES", 60_000)
    metric.score_all(*corpus(sentences(100, 1), sentences(100, 2)))
    memory = encoders.load(EncoderSpec(str(metric.encoder), 2), None).shelf.memory
    assert len(memory) == 1 or sum(e.vectors.nbytes for batch in memory.values() for e in batch) <= 20_000
    files = kept(tmp_path / "cache")
    assert 1 <= len(files) < 13 and sum(file.stat().st_size for file in files) <= 60_000
    # The newest stay. Pairs come in parts of 32: the last four are a batch of their own, the first 32 are four batches.
    for references, fresh in ((sentences(100, 2)[-4:], 0), (sentences(100, 2)[:32], len(set(sentences(100, 2)[:32])))):
        encoders.attempt.cache_clear()
        encoded.clear()
        metric.score_all(*corpus(["नदी"] * len(references), references))
        assert sum(encoded) == 1 + fresh


def test_long_texts_are_cut_where_the_encoder_ends(metric: BertScore, tmp_path: Path) -> None:
    """Also with a tokenizer that names no limit, for which bert-score itself overflows."""
    save_bert(tmp_path / "limitless", limit=None)
    golds = [" ".join(WORDS * 60), "नदी"]
    docs, answers = corpus([golds[0] + " किला", "river"], golds)
    told = values(metric.score_all(docs, answers))
    assert told[0] == pytest.approx(1.0, abs=1e-5) and told[1] < 1
    assert values(replace(metric, encoder=str(tmp_path / "limitless")).score_all(docs, answers)) == pytest.approx(told, abs=1e-6)


def test_texts_longer_than_the_encoder_reads_are_counted(metric: BertScore) -> None:
    """The same beginning and another rest: equal to the encoder, and the note says why."""
    start = " ".join(WORDS * 60)
    docs, answers = corpus([start + " किला" * 50, "नदी", start], [start + " शहर" * 50, "नदी के पार", "नदी"])
    scores = metric.score_all(docs, answers)
    assert scores[0].value == pytest.approx(1.0, abs=1e-5)
    assert [("cut" in score.flags) for score in scores] == [True, False, True]
    note = metric.summarize(scores).note
    assert note == "3 of 6 texts are longer than the 512 tokens that the encoder reads: of those only the beginning was compared"
    assert metric.summarize([scores[1]]).note == ""


@pytest.mark.parametrize("extra", [-2, -1, 0, 1, 2])
def test_a_text_is_cut_from_the_first_token_too_many_on(metric: BertScore, extra: int) -> None:
    text = "क " * (510 + extra)  # one token per letter, and two marks
    docs, answers = corpus([text], ["नदी"])
    assert ("cut" in metric.score_all(docs, answers)[0].flags) == (extra > 0)


def test_a_tokenizer_that_claims_more_than_the_encoder_has_is_cut_to_it(metric: BertScore, tmp_path: Path) -> None:
    save_bert(tmp_path / "boaster", limit=4096)
    golds = [" ".join(WORDS * 60), "नदी"]
    docs, answers = corpus([golds[0] + " किला", "river"], golds)
    boasting = replace(metric, encoder=str(tmp_path / "boaster"))
    scores = boasting.score_all(docs, answers)
    assert values(scores) == pytest.approx(values(metric.score_all(docs, answers)), abs=1e-6)
    assert "longer than the 512 tokens" in boasting.summarize(scores).note


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (IndexError("index out of range in self"), False),
    ],
)
def test_advice_about_memory_is_for_memory_alone(
    metric: BertScore, monkeypatch: pytest.MonkeyPatch, error: Exception, memory: bool
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(encoders.Encoder, "f_scores", fail)
    docs, answers = corpus(["नदी"], ["नदी"])
    scores = metric.score_all(docs, answers)
    note = metric.summarize(scores).note
    assert scores[0].value is None
    assert ("ran out of memory" in note) == ("batch_size" in note) == memory
    assert (str(error)[:20] or "MemoryError") in note


def test_notes_end_their_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_ask_hub", lambda name: (_ for _ in ()).throw(OSError("no network")))
    encoders.attempt.cache_clear()
    metric = BertScore()
    scores = [metric.score(Doc("d", {}, target="x", language=language), [Response("k", "ok", text="x")]) for language in ("hi", None)]
    missing, unknown = (metric.summarize([score]).note for score in scores)
    assert missing.endswith("or set encoder: and layer: to those of a local folder")
    assert unknown.endswith("set language: (as hi), or both encoder: and layer: yourself")
    encoders.attempt.cache_clear()


def test_roberta_gets_the_space_before_its_first_word(tmp_path: Path) -> None:
    """As bert-score asks, and as transformers 5 forgets: the first word is then another token than in the middle."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizer

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator([" ".join(WORDS)] * 3, vocab_size=600, special_tokens=special, show_progress=False)
    trained.save_model(str(tmp_path))
    tokenizer = RobertaTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    RobertaModel(RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=66, pad_token_id=1, **sizes)).save_pretrained(tmp_path)
    encoder = encoders.load(EncoderSpec(str(tmp_path), 2), "cpu")
    spaced = [i for i in encoder._ids("river fort") if i > 4]
    assert encoder.tokenizer.decode(spaced) == " river fort"
    long = BertScore(encoder=str(tmp_path), layer=2).score(
        Doc("d", {}, target="the old fort " * 40), [Response("k", "ok", text="river " * 90)]
    )
    assert long.value is not None and 0 < long.value < 1


def test_each_language_has_its_encoder_and_two_are_never_averaged(bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "english"
    save_bert(other, seed=1)
    monkeypatch.setattr(encoders, "choose", lambda language, *_: EncoderSpec(str(other) if language == "en" else bert, 2))
    metric = BertScore()
    languages = ["hi", "hi", "en", "en", "bn"]
    docs = [Doc(f"d{i}", {"target_code": lang}, target="नदी river", language=lang) for i, lang in enumerate(languages)]
    answers = {d.id: [Response("k", "ok", text="नदी fort")] for d in docs}
    scores = metric.score_all(docs, answers)
    summary = metric.summarize(scores)
    assert summary.value is None and summary.ci is None and summary.macro is None and summary.n == 5
    assert "different encoders" in summary.note and "english-L2@" in summary.note
    hindi, english = summary.groups["hi"], summary.groups["en"]
    assert hindi.value == scores[0].value != english.value and hindi.note == english.note == ""
    assert "english-L2@" in english.signature and "english" not in hindi.signature
    # Without English there is one encoder, and a score over all.
    assert metric.summarize([s for s in scores if s.language != "en"]).value is not None
    # Translations into English carry the source's language; the references' is in a field.
    into = BertScore(language_field="target_code").score(Doc("x", {"target_code": "en"}, target="river", language="hi"), answers["d0"])
    assert into.encoder.startswith("english-L2@")  # type: ignore[attr-defined]


def test_the_library_chooses_encoders_and_layers() -> None:
    assert str(encoders.choose("en", None, None)) == "roberta-large-L17"
    for language in ("hi", "or", "ur", "as"):
        assert str(encoders.choose(language, None, None)) == "bert-base-multilingual-cased-L9"
    assert encoders.choose("hi", "xlm-roberta-base", None).layer == 9
    assert BertScore(profile="card_guess")._spec(Doc("d", {}, language="ta")) == EncoderSpec("roberta-large", 17)
    with pytest.raises(ConfigError, match="set layer"):
        encoders.choose("hi", "someone/unknown", None)


def test_rescaling_uses_the_shipped_baseline_and_nothing_else() -> None:
    import bert_score

    table = Path(bert_score.__file__).parent / "rescale_baseline" / "en" / "roberta-large.tsv"
    line = next(row for row in table.read_text().splitlines() if row.startswith("17,"))
    b = encoders.baseline("en", EncoderSpec("roberta-large", 17))
    assert b == float(line.split(",")[3])
    metric = BertScore(rescale=True, language="en")
    doc = Doc("d", {}, target="x")
    assert metric._rescaled(0.9, doc, EncoderSpec("roberta-large", 17)) == pytest.approx((0.9 - b) / (1 - b))
    hindi = metric.summarize(replace(metric, language="hi").score_all([doc], {"d": [Response("k", "ok", text="नदी")]}))
    assert hindi.value is None and hindi.n_not_measured == 1
    assert "no rescaling baseline for language 'hi'" in hindi.note and "set rescale: false" in hindi.note


def test_a_missing_encoder_is_one_line_and_costs_no_other_score(bert: str) -> None:
    from evalkit.data import DataSpec
    from evalkit.metrics import ChrF
    from evalkit.prompts import Completion
    from evalkit.task import Task

    docs, answers = corpus(["नदी के पार"], ["नदी के पार"], language="hi")
    task = Task(
        "t",
        DataSpec(path="x", split="test", to_doc="m.f"),
        Completion("{q}"),
        [BertScore(), ChrF(), BertScore(name="local", encoder=bert, layer=2)],
        "bertscore",
    )
    result, _ = score_task(task, Evidence(tuple(docs), 1, "", "", False), answers)
    missing = result.summaries["bertscore"]
    assert missing.value is None and missing.n == 0 and missing.n_not_measured == 1
    assert "bert-base-multilingual-cased" in missing.note and "set encoder:" in missing.note and "\n" not in missing.note
    assert result.summaries["chrF++"].value == 1.0
    assert result.summaries["local"].value == pytest.approx(1.0, abs=1e-6)


def test_a_missing_encoder_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(encoders, "_ask_hub", lambda name: asked.append(name) or (_ for _ in ()).throw(OSError("no network")))
    encoders.attempt.cache_clear()
    for language in ("hi", "bn"):
        assert BertScore().score(Doc("d", {}, target="x", language=language), [Response("k", "ok", text="x")]).value is None
    assert asked == ["bert-base-multilingual-cased"]
    encoders.attempt.cache_clear()


def test_a_layer_the_encoder_lacks_and_a_misleading_name(bert: str, tmp_path: Path) -> None:
    docs, answers = corpus(["नदी"], ["नदी"])
    deep = BertScore(encoder=bert, layer=9)
    assert "has no layer 9" in deep.summarize(deep.score_all(docs, answers)).note
    save_bert(tmp_path / "got5it")
    named = BertScore(encoder=str(tmp_path / "got5it"), layer=2)
    assert "rename the folder" in named.summarize(named.score_all(docs, answers)).note
    single = BertScore(encoder=bert, layer=2, idf=True)
    assert "set idf: false" in single.summarize(single.score_all(docs, answers)).note


def test_a_script_the_encoder_cannot_read_is_said(tmp_path: Path) -> None:
    save_bert(tmp_path / "latin", letters="abcdefghijklmnopqrstuvwxyz")
    metric = BertScore(encoder=str(tmp_path / "latin"), layer=2)
    docs, answers = corpus(["किला पुराना है", "old fort"], ["नदी के पार", "old fort"])
    hindi, english = metric.score_all(docs, answers)
    note = metric.summarize([hindi]).note
    assert "100% of the references' tokens are unknown to latin-L2@" in note
    assert metric.summarize([english]).note == ""


def test_signature_says_what_was_compared(metric: BertScore) -> None:
    import transformers

    summary = metric.summarize(metric.score_all(*corpus(sentences(5, 1), sentences(5, 2))))
    name, encoder, *rest = summary.signature.split("|")
    assert name == "bertscore" and encoder.startswith(f"encoder:{Path(str(metric.encoder)).name}-L2@") and len(encoder.split("@")[1]) == 8
    assert rest[:5] == ["rescaled:no", "idf:no", "nrefs:var", "bert-score:0.3.13", f"transformers:{transformers.__version__}"]
    assert summary.ci is not None and "ci:t" in rest
    other = replace(metric, layer=1)
    assert other.summarize(other.score_all(*corpus(sentences(5, 1), sentences(5, 2)))).signature != summary.signature


def test_sentences_that_share_a_source_widen_the_interval(metric: BertScore) -> None:
    docs, answers = corpus(sentences(20, 1), sentences(20, 2))
    docs = [replace(d, cluster=f"c{i // 2}") for i, d in enumerate(docs)]
    assert "ci:cluster-t" in metric.summarize(metric.score_all(docs, answers)).signature


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"profile": "guess"}, "profile='guess'"),
        ({"references": "some"}, "references='some'"),
        ({"layer": 3}, "without encoder"),
        ({"profile": "card_guess", "encoder": "x"}, "brings its own encoder"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BertScore(**settings)


def test_a_folder_needs_a_layer(bert: str) -> None:
    with pytest.raises(ConfigError, match="set layer"):
        BertScore(encoder=bert)


def test_no_language_and_no_encoder() -> None:
    score = BertScore().score(Doc("d", {}, target="x"), [Response("k", "ok", text="x")])
    assert score.value is None and "set language" in BertScore().summarize([score]).note


def test_it_is_a_batch_metric() -> None:
    assert isinstance(BertScore(), BatchMetric)


def test_a_long_wait_is_announced(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit import progress

    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with progress.waiting("bertscore", 10) as advance:
        for _ in range(10):
            advance(1)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("bertscore: 1 of 10, about ")


def test_a_pair_scores_the_same_in_any_company(bert: str) -> None:
    """The library's own value depends on the padding where a token's best match is below 0; alone there is none."""
    import torch
    from bert_score.utils import greedy_cos_idf

    torch.manual_seed(0)
    one = torch.randn(1, 8)
    near, far = vectors.Encoded((5, 6), torch.cat([one, -one])), vectors.Encoded((7,), one)
    longer = vectors.Encoded(tuple(range(5, 11)), torch.randn(6, 8))
    weights = dict.fromkeys(range(20), 1.0)
    encoder = encoders.load(EncoderSpec(bert, 2), "cpu")
    pairs = [(near, far), (longer, far), (far, near), (longer, longer)]
    together = encoder._match(pairs, weights, batch_size=64)
    assert together == pytest.approx([encoder._match([pair], weights, batch_size=1)[0] for pair in pairs], abs=1e-6)

    def uniform(text: vectors.Encoded) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return text.vectors[None].clone(), torch.ones(1, len(text.ids)), torch.ones(1, len(text.ids))

    _, _, theirs = greedy_cos_idf(*uniform(far), *uniform(near))
    assert together[0] == pytest.approx(float(theirs), abs=1e-6)
    assert together[0] == pytest.approx(0.0, abs=1e-6)  # precision (1 - 1) / 2, recall 1; padded it would be 2/3
