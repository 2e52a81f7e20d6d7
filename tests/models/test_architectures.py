"""Log-likelihoods of every architecture equal the naive computation, whichever path scores them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import transformers

from evalkit.errors import ModelError
from evalkit.models.base import WorkItem
from evalkit.models.hf import attention, path_check
from evalkit.models.hf.lm_head import Projection
from evalkit.models.hf.scoring import Scorer

VOCABULARY = 97
SMALL = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
GROUPED = {**SMALL, "num_key_value_heads": 2, "max_position_embeddings": 512}
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}

TREE = {
    "Llama": GROUPED,
    "Mistral": {**GROUPED, "sliding_window": 20},
    "Qwen2": GROUPED,
    "Qwen3": {**GROUPED, "head_dim": 8},
    "Gemma2": {**GROUPED, "head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8},
    "Gemma3Text": {**GROUPED, "head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8},
    "Phi": {**SMALL, "max_position_embeddings": 512},
    "GPTNeoX": {**SMALL, "max_position_embeddings": 512},
    "GPT2": {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 512},
    "OPT": {**SMALL, "ffn_dim": 48, "word_embed_proj_dim": 32},
}
CACHED = {
    "Bloom": {"vocab_size": VOCABULARY, "hidden_size": 32, "n_layer": 3, "n_head": 4},
    "Falcon": {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "alibi": True},
}
PLAIN = {
    "xLSTM": {"vocab_size": VOCABULARY, "hidden_size": 32, "embedding_dim": 32, "num_hidden_layers": 2, "num_blocks": 2, "num_heads": 4},
    "Mamba": {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
}
# Which keys it keeps depends on how long the row is.
SINGLE = {"Doge": {**GROUPED, "keep_window_size": 16}}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(name: str, settings: dict[str, Any], dtype: torch.dtype) -> Any:
    torch.manual_seed(0)
    config_class = getattr(transformers, f"{name}Config" if name != "Gemma3Text" else "Gemma3TextConfig")
    model = transformers.AutoModelForCausalLM.from_config(config_class(**settings, **TOKENS))
    # Random weights of a fresh model are tiny: wider ones make attention matter.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(8)
        for label, parameter in model.named_parameters():
            if label.endswith("sinks"):
                parameter.uniform_(-2, 4)
    return model.to(dtype).eval()


def some_of(rng: random.Random, low: int, high: int) -> tuple[int, ...]:
    """Between `low` and `high` tokens."""
    return tuple(rng.randrange(3, VOCABULARY) for _ in range(rng.randint(low, high)))


def requests(seed: int = 0) -> list[WorkItem]:
    """Shared few-shot headers, shared stems, single-token choices, differing contexts, lone items."""
    rng = random.Random(seed)

    def some(low: int, high: int) -> tuple[int, ...]:
        return some_of(rng, low, high)

    items = []
    headers = [some(90, 90), some(140, 140)]
    headers.append((*headers[0], *some(120, 120)))
    for number in range(24):
        stem = (*headers[number % 4], *some(3, 20)) if number % 4 < 3 else some(1, 30)
        if number % 3 == 0:
            pairs: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = tuple((stem, (token,)) for token in (5, 6, 7, 8))
        elif number % 3 == 1:
            pairs = tuple((stem, some(1, 9)) for _ in range(4))
        else:
            end = some(2, 6)
            pairs = tuple(((*stem, *some(1, 3)), end) for _ in range(2))
        items.append(WorkItem(f"k{number}", "t", str(number), 0, "loglikelihood", pairs=pairs))
    return items


def naive(model: Any, items: list[WorkItem]) -> list[list[float]]:
    """One pair at a time through the model as it is, summed in double precision."""
    answers = []
    for item in items:
        sums = []
        for context, target in item.pairs:
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([(context + target)[:-1]]), use_cache=False).logits[0, -len(target) :]
            picked = logits.double().log_softmax(-1)[range(len(target)), list(target)]
            sums.append(float(picked.sum()))
        answers.append(sums)
    return answers


def measured(scorer: Scorer, items: list[WorkItem]) -> dict[str, tuple[float, ...]]:
    kept: dict[int, Any] = {}
    found = {}
    for header, above, batch in scorer.packs(items, set()):
        for response in scorer.score(header, above, batch, kept):
            assert response.loglikelihoods is not None
            found[response.key] = response.loglikelihoods
    return found


@pytest.mark.parametrize("name", [*TREE, *CACHED, *PLAIN, *SINGLE])
def test_equals_naive(name: str) -> None:
    model = build(name, (TREE | CACHED | PLAIN | SINGLE)[name], torch.float32)
    items = requests()
    expected = naive(model, items)
    scorer = Scorer(model, pad=0, budget=128)
    paths = {"tree": TREE, "cached": CACHED, "plain": PLAIN, "single": SINGLE}
    assert name in paths[scorer.path]
    assert bool(scorer.why) == (name not in TREE)
    found = measured(scorer, items)
    for item, right in zip(items, expected, strict=True):
        assert found[item.key] == pytest.approx(right, rel=1e-4, abs=1e-4)
        assert max(range(len(right)), key=right.__getitem__) == max(range(len(right)), key=found[item.key].__getitem__)


@pytest.mark.parametrize("name", ["Llama", "Gemma3Text", "GPT2"])
def test_double_precision_is_exact_whatever_the_order_and_budget(name: str) -> None:
    model = build(name, TREE[name], torch.float64)
    items = requests()
    expected = naive(model, items)
    for seed, budget in ((1, 64), (2, 400), (3, 4096)):
        shuffled = items[:]
        random.Random(seed).shuffle(shuffled)
        found = measured(Scorer(model, pad=0, budget=budget), shuffled)
        for item, right in zip(items, expected, strict=True):
            assert found[item.key] == pytest.approx(right, rel=1e-9, abs=1e-9)


def test_finished_packs_are_skipped_and_the_rest_stays_the_same() -> None:
    scorer = Scorer(build("Llama", TREE["Llama"], torch.float32), pad=0, budget=128)
    items = requests()
    everything = [[item.key for item in batch] for _, _, batch in scorer.packs(items, set())]
    done = set(everything[0]) | set(everything[2])
    left = [[item.key for item in batch] for _, _, batch in scorer.packs(items, done)]
    assert left == [batch for place, batch in enumerate(everything) if place not in (0, 2)]


BERT = {**SMALL, "max_position_embeddings": 512}


@pytest.mark.parametrize("name", ["Bert", "Roberta", "Electra"])
def test_a_model_that_reads_what_follows_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=r"what follows a token changes what it expects after it .* is_decoder"):
        Scorer(build(name, BERT, torch.float32), pad=0, budget=128)


def test_the_same_as_a_decoder_is_not() -> None:
    model, items = build("Bert", {**BERT, "is_decoder": True}, torch.float32), requests()
    found = measured(Scorer(model, pad=0, budget=128), items)
    for item, right in zip(items, naive(model, items), strict=True):
        assert found[item.key] == pytest.approx(right, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", ["Mamba", "Bloom"])
def test_padding_that_changes_numbers_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the cause: each sequence is then read alone."""
    model, items = build(name, (CACHED | PLAIN)[name], torch.float32), requests()
    expected, forward = naive(model, items), model.forward

    def disturbed(input_ids: torch.Tensor, **more: Any) -> Any:
        told = forward(input_ids=input_ids, **more)
        padded = (input_ids == 0).any(1).float()[:, None, None]
        told.logits = told.logits + padded * input_ids.shape[1] * torch.linspace(-1, 1, VOCABULARY)
        return told

    monkeypatch.setattr(model, "forward", disturbed)
    monkeypatch.setattr(Projection, "_agrees", lambda self: False)
    scorer = Scorer(model, pad=0, budget=128)
    assert scorer.path == "single" and "padding" in scorer.why
    found = measured(scorer, items)
    for item, right in zip(items, expected, strict=True):
        assert found[item.key] == pytest.approx(right, rel=1e-4, abs=1e-4)


def long_documents() -> list[WorkItem]:
    rng = random.Random(5)
    pairs = [tuple((stem, some_of(rng, 1, 5)) for _ in range(2)) for stem in (some_of(rng, 9, 9), some_of(rng, 150, 150))]
    return [WorkItem(f"k{i}", "t", str(i), 0, "loglikelihood", pairs=pair) for i, pair in enumerate(pairs)]


def test_what_the_start_check_is_too_short_to_feel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of attention that only long documents reach, and the index of a token that is taken for its position."""
    monkeypatch.setattr(path_check, "LONGEST_PROBE", 40)
    model, items = llama4(100), long_documents()
    scorer = Scorer(model, pad=0, budget=128)
    assert scorer.path == "tree", scorer.why
    found = measured(scorer, items)
    for item, right in zip(items, naive(model, items), strict=True):
        assert found[item.key] == pytest.approx(right, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("chunk", "budget"), [(7, 128), (90, 64), (32, 400)])
def test_chunks_that_begin_within_and_at_the_end_of_a_header(chunk: int, budget: int) -> None:
    model, items = llama4(chunk), requests()[:10]
    scorer = Scorer(model, pad=0, budget=budget)
    assert scorer.path == "tree", scorer.why
    found = measured(scorer, items)
    for item, right in zip(items, naive(model, items), strict=True):
        assert found[item.key] == pytest.approx(right, rel=1e-5, abs=1e-5)


def llama4(chunk: int) -> Any:
    settings = {**GROUPED, "head_dim": 8, "intermediate_size_mlp": 48, "num_local_experts": 2, "num_experts_per_tok": 1}
    layers = {"attention_chunk_size": chunk, "no_rope_layers": [1, 1, 0], "attn_temperature_tuning": True, "floor_scale": 60}
    return build("Llama4Text", {**settings, **layers}, torch.float32)


def test_a_chunk_that_no_layer_is_known_to_have_takes_the_plain_path() -> None:
    model = build("Llama", TREE["Llama"], torch.float32)
    model.config.attention_chunk_size = 100
    scorer = Scorer(model, pad=0, budget=128)
    assert scorer.path == "plain" and "attention_chunk_size" in scorer.why


BART = {"vocab_size": VOCABULARY, "d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 48}


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("Bart", {**BART, "max_position_embeddings": 512}, "does not heed the positions"),
        ("Roberta", {**SMALL, "max_position_embeddings": 512, "is_decoder": True}, "counts positions in another way"),
    ],
)
def test_positions_are_compared_closely_in_narrow_types_too(name: str, settings: dict[str, Any], why: str) -> None:
    """Positions that are off by a few change less than bfloat16 rounds."""
    scorer = Scorer(build(name, settings, torch.bfloat16), pad=0, budget=128)
    assert scorer.path != "tree" and why in scorer.why


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_reaches_over_from_the_sequence_before_is_found(dtype: torch.dtype) -> None:
    """A convolution or an n-gram next to attention, however little it does."""
    model = build("Llama", TREE["Llama"], dtype)

    def mixing(_: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        states = arguments[0]
        return (torch.cat([states[:, :1], states[:, 1:] + 0.3 * states[:, :-1]], 1), *arguments[1:])

    model.model.layers[1].mlp.register_forward_pre_hook(mixing)
    scorer = Scorer(model, pad=0, budget=128)
    assert scorer.path == "plain" and "what lies next to a sequence" in scorer.why


@pytest.mark.parametrize(("told", "why"), [({"indices": 1}, "ask attention for indices"), ({"attention_mask": 1}, "mask keys")])
def test_what_a_layer_asks_for_and_ours_does_not_know_takes_its_own_code(
    told: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, seen = attention.TreeAttention.__call__, []

    def asked(self: Any, module: Any, query: Any, key: Any, value: Any, attention_mask: Any = None, **settings: Any) -> Any:
        try:
            return ours(self, module, query, key, value, **settings, **told)
        except RuntimeError as error:
            seen.append(str(error))
            raise

    monkeypatch.setattr(attention.TreeAttention, "__call__", asked)
    assert Scorer(build("Llama", TREE["Llama"], torch.float32), pad=0, budget=128).path == "cached"
    assert why in seen[0]


@pytest.mark.parametrize(("told", "path"), [(True, "tree"), (False, "plain")])
def test_a_window_beyond_the_start_check_must_be_told(told: bool, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_check, "LONGEST_PROBE", 40)
    if not told:
        rule = attention.rule_of
        monkeypatch.setattr(
            attention, "rule_of", lambda module, query, mask, settings: rule(module, query, mask, {**settings, "sliding_window": None})
        )
    scorer = Scorer(build("Mistral", {**GROUPED, "sliding_window": 100}, torch.float32), pad=0, budget=128)
    assert scorer.path == path and ("window" in scorer.why) is not told
