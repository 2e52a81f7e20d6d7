"""The Hugging Face back end against the plain way: one sequence at a time, straight through transformers."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ModelError
from evalkit.models import WorkItem, check_capabilities
from evalkit.models.hf import HFModel
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Message, Prompt, Request, Response

Tiny = Callable[..., Path]
CHAT = (
    "{% for m in messages %}{{ bos_token if loop.first }}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + CHAT


def hf(folder: Path, **settings: Any) -> HFModel:
    return HFModel("tiny", path=str(folder), dtype="float32", device="cpu", **settings)


def ll(*pairs: tuple[Prompt, str], doc: str = "d") -> LoglikelihoodRequest:
    return LoglikelihoodRequest("t", doc, pairs)


def gen(prompt: Prompt, new: int = 12, doc: str = "d", samples: int = 1, **params: Any) -> GenerateRequest:
    return GenerateRequest("t", doc, prompt, GenerationParams(new, **params), samples)


def ask(model: HFModel, requests: Sequence[Request]) -> list[Response]:
    items = model.encode(requests)
    answers = {r.key: r for batch in model.answer(items, set()) for r in batch}
    return [answers[item.key] for item in items]


def pair_of(model: HFModel, context: Prompt, continuation: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return model.encode([ll((context, continuation))])[0].pairs[0]


def loaded(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def naive(reference: Any, context: Sequence[int], target: Sequence[int]) -> tuple[float, bool]:
    import torch

    with torch.inference_mode():
        logits = reference(input_ids=torch.tensor([[*context, *target]])).logits[0].log_softmax(-1)
    places = range(len(context) - 1, len(context) + len(target) - 1)
    return (
        sum(float(logits[place, token]) for place, token in zip(places, target, strict=True)),
        all(int(logits[place].argmax()) == token for place, token in zip(places, target, strict=True)),
    )


# ---- prompts to tokens ----


def test_context_and_continuation_are_tokenised_together_and_split_at_the_context(tiny: Tiny) -> None:
    model = hf(tiny())
    tokenizer = model.tokenizer
    context, target = pair_of(model, "A boy wets a", " muddy bicycle")
    assert context == tuple(tokenizer("A boy wets a").input_ids) and context[0] == tokenizer.bos_token_id
    assert context + target == tuple(tokenizer("A boy wets a muddy bicycle").input_ids)


def test_trailing_white_space_moves_to_the_continuation(tiny: Tiny) -> None:
    model = hf(tiny())
    assert pair_of(model, "A boy wets a ", "muddy") == pair_of(model, "A boy wets a", " muddy")
    assert pair_of(model, "A boy\n\n ", "wets") == pair_of(model, "A boy", "\n\n wets")


@pytest.mark.parametrize("bos", [True, False])
def test_an_empty_context_is_bos_or_else_eos(tiny: Tiny, bos: bool) -> None:
    model = hf(tiny(bos=bos))
    first = model.tokenizer.bos_token_id if bos else model.tokenizer.eos_token_id
    context, target = pair_of(model, "", "A boy")
    assert context == (first,) and target == tuple(model.tokenizer("A boy", add_special_tokens=False).input_ids)
    assert model.encode([gen("")])[0].prompt_ids == (first,)


def test_one_bos_whoever_adds_it(tiny: Tiny) -> None:
    model = hf(tiny(template=CHAT))
    bos = model.tokenizer.bos_token_id
    turns = (Message("system", "Be brief."), Message("user", "A boy"))
    prompts: list[Prompt] = ["A boy", "<s>A boy", turns]
    for item in model.encode([gen(p) for p in prompts]):
        assert item.prompt_ids.count(bos) == 1 and item.prompt_ids[0] == bos
    for item in model.encode([ll((p, " wets")) for p in prompts]):
        assert all((*context, *target).count(bos) == 1 for context, target in item.pairs)
    assert hf(tiny(template=CHAT), add_bos=False).encode([gen("A boy")])[0].prompt_ids.count(bos) == 0
    assert model.tokenizer.decode(model.encode([gen(turns)])[0].prompt_ids) == "<s>[system] Be brief.\n[user] A boy\n[assistant] "


def test_a_template_that_refuses_a_system_turn_gets_its_text_in_the_users(tiny: Tiny) -> None:
    model = hf(tiny(template=NO_SYSTEM))
    turns = (Message("system", "Be brief."), Message("user", "A boy"))
    assert model.tokenizer.decode(model.encode([gen(turns)])[0].prompt_ids) == "<s>[user] Be brief.\n\nA boy\n[assistant] "
    assert model.describe()["system_merged_into_user"] is True


def test_without_a_template_a_chat_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match=r"tiny has no chat template, .* asked to chat; use tasks\.t\.chat=false or a chat model"):
        check_capabilities(hf(tiny()), [gen((Message("user", "A boy"),))])


def test_what_does_not_fit_is_dropped_on_the_left_and_counted(tiny: Tiny) -> None:
    model = hf(tiny(max_length=32))
    long = "A boy wets a muddy bicycle. " * 12
    whole = model.tokenizer(long.rstrip()).input_ids
    (item,) = model.encode([ll((long, "He scrubs"), ("short", " He"))])
    context, target = item.pairs[0]
    # 32 tokens are read: the last target token is only predicted.
    assert len(context) + len(target) == 33 and context == tuple(whole[-len(context) :])
    assert item.truncated_tokens == len(whole) - len(context)
    (item,) = model.encode([gen(long, new=8)])
    assert len(item.prompt_ids) == 24 and item.truncated_tokens == len(model.tokenizer(long).input_ids) - 24
    assert [r.truncated_tokens > 0 for r in ask(model, [ll((long, "He")), gen(long, new=8), ll(("a", " b"))])] == [True, True, False]


def test_what_can_never_fit_is_refused(tiny: Tiny) -> None:
    model = hf(tiny(max_length=32))
    with pytest.raises(ModelError, match="task t, document d: the continuation"):
        model.encode([ll(("a", " He scrubs the frame" * 20))])
    with pytest.raises(ModelError, match="the continuation '' has 0 tokens"):
        model.encode([ll(("a", ""))])
    with pytest.raises(ModelError, match="asks for 40 new tokens, but the model holds 32"):
        model.encode([gen("a", new=40)])


def test_keys_follow_the_tokens_and_the_weights(tiny: Tiny, tmp_path: Path) -> None:
    request = [ll(("A boy", " wets"))]
    key = hf(tiny()).encode(request)[0].key
    shutil.copytree(tiny(), tmp_path / "copy")
    assert hf(tmp_path / "copy", batch_tokens=64).encode(request)[0].key == key
    others = [hf(tiny(1)), HFModel("tiny", path=str(tiny()), dtype="bfloat16"), hf(tiny(), add_bos=False), hf(tiny(), max_length=100)]
    assert len({key, *(model.encode(request)[0].key for model in others)}) == 5


# ---- log-likelihoods ----

SCORED: list[LoglikelihoodRequest] = [
    ll(
        *(
            (f"Question: how many eggs?\nAnswer:{'' if i % 2 else ' many,'}", choice)
            for choice in (" A", " B", " 36", " three trays of twelve")
        ),
        doc=str(i),
    )
    for i in range(3)
] + [
    ll(("", "A boy wets a muddy bicycle"), doc="no context"),
    ll(("A boy", " scrubs"), ("Meera buys 3 trays of 12 eggs. A boy", " scrubs"), doc="two contexts"),
    ll(("The capital of India is", " नई दिल्ली"), ("The capital of India is", " New Delhi"), doc="scripts"),
    ll(("word " * 40, "end"), doc="long"),
    ll(("word " * 40, "another end of some length"), doc="long, same beginning"),
    *(
        ll(*(("Question: shared shots of some length. " * 6 + f"Now number {i}:", f" {letter}") for letter in "ABCD"), doc=f"shots {i}")
        for i in range(4)
    ),
]
FAMILIES: dict[str, dict[str, Any]] = {"llama": {}, "no bos": {"bos": False}, "tied": {"tie_word_embeddings": True}}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_tokens", [64, 4096])
def test_loglikelihoods_equal_one_sequence_at_a_time(tiny: Tiny, family: str, batch_tokens: int) -> None:
    folder = tiny(**FAMILIES[family])
    model, reference = hf(folder, batch_tokens=batch_tokens), loaded(folder)
    for request, item, response in zip(SCORED, model.encode(SCORED), ask(model, SCORED), strict=True):
        expected = [naive(reference, context, target) for context, target in item.pairs]
        assert response.loglikelihoods == pytest.approx([value for value, _ in expected], abs=1e-5 * 40), request.doc_id
        assert response.greedy == tuple(greedy for _, greedy in expected)
        assert response.output_tokens == sum(len(target) for _, target in item.pairs)


def gpt2(folder: Path) -> Path:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(3)
    GPT2LMHeadModel(
        GPT2Config(vocab_size=401, bos_token_id=0, eos_token_id=1, n_positions=512, n_embd=32, n_layer=2, n_head=4, initializer_range=0.4)
    ).save_pretrained(folder)
    return folder


def gemma(folder: Path) -> Path:
    """Sliding windows and capped logits."""
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(3)
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
    }
    config = Gemma2Config(
        vocab_size=401, max_position_embeddings=512, sliding_window=16, final_logit_softcapping=5.0, initializer_range=0.4, **sizes
    )
    Gemma2ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("make", [gpt2, gemma])
def test_other_architectures_too(tiny: Tiny, tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = make(tmp_path)
    for file in tiny().glob("*token*"):
        shutil.copy(file, folder)
    model, reference = hf(folder), loaded(folder)
    for item, response in zip(model.encode(SCORED), ask(model, SCORED), strict=True):
        assert response.loglikelihoods == pytest.approx([naive(reference, *pair)[0] for pair in item.pairs], abs=4e-4)
    prompts = ["A boy wets", "The capital of India is New"]
    expected = [plainly(reference, model, item, 8) for item in model.encode([gen(p, 8) for p in prompts])]
    assert [r.text for r in ask(model, [gen(p, 8) for p in prompts])] == expected


def test_order_and_company_change_no_answer(tiny: Tiny) -> None:
    model = hf(tiny())
    together = {r.key: r for r in ask(model, SCORED)}
    for request in SCORED[::4]:
        (alone,) = ask(model, [request])
        assert alone.loglikelihoods == pytest.approx(together[alone.key].loglikelihoods, abs=1e-4)
    backwards = {r.key: r for r in ask(model, SCORED[::-1])}
    assert backwards == together


def test_what_is_done_does_not_change_the_rest(tiny: Tiny) -> None:
    model = hf(tiny(), batch_tokens=150)
    items = model.encode([*SCORED, *(gen(f"A boy {i}", 5) for i in range(4))])
    batches = list(model.answer(items, set()))
    assert len(batches) > 3
    whole = {r.key: r for batch in batches for r in batch}
    done = {r.key for batch in batches[: len(batches) // 2] for r in batch}
    rest = {r.key: r for batch in model.answer(items, done) for r in batch}
    assert rest.keys() | done == whole.keys() and all(whole[key] == response for key, response in rest.items())
    assert len(rest) <= len(whole) - len(done)
    assert list(hf(tiny(), batch_tokens=150).answer(items, set(whole))) == []


# ---- generation ----

PROMPTS = [
    "A boy",
    "Question: Meera buys 3 trays of 12 eggs. How many eggs?\nAnswer:",
    "नई",
    "The capital of India is New Delhi; the capital of",
]


def plainly(reference: Any, model: HFModel, item: WorkItem, new: int) -> str:
    import torch

    ids = torch.tensor([item.prompt_ids])
    with torch.inference_mode():
        out = reference.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=model.tokenizer.eos_token_id,
        )
    return str(model.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))


@pytest.mark.parametrize("batch_tokens", [1, 4096])
def test_greedy_text_is_what_generate_writes_one_prompt_at_a_time(tiny: Tiny, batch_tokens: int) -> None:
    model, reference = hf(tiny(), batch_tokens=batch_tokens), loaded(tiny())
    requests = [gen(prompt, new) for prompt, new in zip(PROMPTS, (20, 7, 12, 20), strict=True)]
    for request, item, response in zip(requests, model.encode(requests), ask(model, requests), strict=True):
        assert response.text == plainly(reference, model, item, request.params.max_new_tokens)
        assert response.status in ("length", "ok", "empty") and 0 < response.output_tokens <= request.params.max_new_tokens


def test_a_stop_is_found_across_tokens_and_cut(tiny: Tiny) -> None:
    model = hf(tiny())
    (free,) = ask(model, [gen("A boy", 20)])
    assert free.text and free.status == "length" and free.output_tokens == 20
    tokens = model.tokenizer(free.text, add_special_tokens=False).input_ids
    # From the middle of one token into the next.
    for at in range(2, len(free.text) - 3, 3):
        stop = free.text[at : at + 3]
        (cut,) = ask(model, [gen("A boy", 20, stop=(stop, "never this"))])
        assert cut.text == free.text[: free.text.index(stop)] and cut.status in ("ok", "empty")
        assert cut.output_tokens <= 20
    assert len(tokens) > 3
    (first,) = ask(model, [gen("A boy", 20, stop=(free.text[:1],))])
    assert (first.text, first.status) == ("", "empty") and first.output_tokens == 1


def test_sampling_does_not_depend_on_batch_or_order(tiny: Tiny) -> None:
    requests = [gen(prompt, 10, doc=str(i), samples=3, temperature=1.5, top_p=0.9) for i, prompt in enumerate(PROMPTS)]
    together = {r.key: r.text for r in ask(hf(tiny()), requests)}
    assert len(together) == 12 and len(set(together.values())) > 6
    assert {r.key: r.text for r in ask(hf(tiny(), batch_tokens=1), requests[::-1])} == together
    other = [gen(prompt, 10, samples=3, temperature=1.5, top_p=0.9, seed=1) for prompt in PROMPTS]
    assert not set(together) & {r.key for r in ask(hf(tiny()), other)}


def test_a_nearly_cold_sample_is_greedy(tiny: Tiny) -> None:
    model = hf(tiny())
    cold, greedy = ask(model, [gen("A boy", 10, temperature=1e-4)]), ask(model, [gen("A boy", 10)])
    assert cold[0].text == greedy[0].text
    assert ask(model, [gen("A boy", 10, temperature=5.0, top_p=1e-9)])[0].text == greedy[0].text


# ---- what can go wrong ----


def test_out_of_memory_halves_the_batch_and_says_so(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    import torch
    from transformers import LlamaModel

    expected = ask(hf(tiny()), [*SCORED, *(gen(p, 5) for p in PROMPTS)])
    model = hf(tiny())
    forward = LlamaModel.forward
    sizes: list[int] = []

    def small(self: Any, input_ids: Any = None, **rest: Any) -> Any:
        sizes.append(input_ids.numel())
        if input_ids.numel() > 200:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return forward(self, input_ids=input_ids, **rest)

    monkeypatch.setattr(LlamaModel, "forward", small)
    with caplog.at_level(logging.WARNING):
        got = ask(model, [*SCORED, *(gen(p, 5) for p in PROMPTS)])
    assert max(sizes) > 200
    assert "out of memory" in caplog.text and "batch_tokens" in caplog.text
    assert any("out of memory" in warning for warning in model.describe()["warnings"])
    for one, other in zip(got, expected, strict=True):
        assert one.text == other.text and (
            one.loglikelihoods is None or one.loglikelihoods == pytest.approx(other.loglikelihoods, abs=4e-4)
        )


def test_out_of_memory_on_one_document_names_it(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import LlamaModel

    model = hf(tiny())

    def never(self: Any, *_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    ask(model, [gen("A boy", 1)])  # the weights are loaded
    monkeypatch.setattr(LlamaModel, "forward", never)
    with pytest.raises(ModelError, match=r"tiny: out of memory on t/7 alone"):
        ask(model, [ll(("A boy", " wets"), doc="7")])


def test_an_adapter_changes_the_answers_and_the_keys(tiny: Tiny, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    import torch

    base = loaded(tiny())
    wrapped = peft.get_peft_model(
        base, peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    )
    wrapped.save_pretrained(tmp_path / "adapter")
    model = hf(tiny(), peft=str(tmp_path / "adapter"))
    plain = hf(tiny())
    (item,), (response,), (without,) = model.encode(SCORED[:1]), ask(model, SCORED[:1]), ask(plain, SCORED[:1])
    assert item.key != plain.encode(SCORED[:1])[0].key and response.loglikelihoods != without.loglikelihoods
    with torch.inference_mode():
        expected = [naive(wrapped.eval(), *pair)[0] for pair in item.pairs]
    assert response.loglikelihoods == pytest.approx(expected, abs=4e-4)
    with pytest.raises(ModelError, match="nowhere"):
        ask(hf(tiny(), peft=str(tmp_path / "nowhere")), SCORED[:1])


def test_a_file_that_is_no_gguf(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"<html>not found</html>")
    with pytest.raises(ModelError, match=r"model\.gguf is not a GGUF file \(it begins with b'<htm'"):
        hf(tmp_path / "model.gguf").encode(SCORED)


def test_a_gguf_without_the_package_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers needs accelerate for it, and says so less clearly."""
    monkeypatch.setattr("evalkit.extras.find_spec", lambda name: None)
    (tmp_path / "some.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    with pytest.raises(
        ModelError, match=r"some\.gguf is a GGUF file, which needs the package accelerate, which is not installed; run: pip install"
    ):
        hf(tmp_path / "some.gguf").encode(SCORED)


def test_a_gguf_cut_short(tmp_path: Path) -> None:
    (tmp_path / "short.gguf").write_bytes(b"GGUF\x03\x00\x00\x00 and nothing more")
    with pytest.raises(ModelError, match=r"short\.gguf cannot be converted: \S"):
        hf(tmp_path / "short.gguf").encode(SCORED)


def test_a_path_that_is_nothing(tmp_path: Path, tiny: Tiny) -> None:
    for path, says in [
        (tmp_path / "nowhere", "does not exist; give a folder, a hub id"),
        (tmp_path, "holds no weights"),
        (tmp_path / "gone.gguf", "does not exist; give an existing .gguf file"),
    ]:
        with pytest.raises(ModelError, match=says):
            hf(path).encode(SCORED)
    with pytest.raises(ModelError, match=r"model\.path is not set"):
        HFModel("x").encode(SCORED)
    with pytest.raises(ModelError, match="model owner/nothing is not in the local hub cache"):
        HFModel("x", path="owner/nothing").encode(SCORED)
    shutil.copytree(tiny(), tmp_path / "broken")
    (tmp_path / "broken/config.json").write_text("{}")
    with pytest.raises(ModelError):
        ask(hf(tmp_path / "broken"), SCORED)


def without(folder: Path, copy: Path, *gone: str, **config: Any) -> Path:
    """A checkpoint without some of its weights, and with other words in its configuration."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, copy)
    weights = load_file(copy / "model.safetensors")
    save_file({name: weight for name, weight in weights.items() if name not in gone}, copy / "model.safetensors", {"format": "pt"})
    about = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(about | config))
    return copy


def test_weights_that_are_missing_are_not_drawn_at_random(tiny: Tiny, tmp_path: Path) -> None:
    """A classifier, a reward model, an encoder: transformers loads each, and invents what it lacks."""
    folder = without(tiny(), tmp_path / "headless", "lm_head.weight")
    with pytest.raises(ModelError, match=r"headless does not have all weights of a LlamaForCausalLM; lm_head\.weight would be random; use"):
        ask(hf(folder), SCORED[:1])
    tied = without(tiny(tie_word_embeddings=True), tmp_path / "tied", "lm_head.weight")
    assert ask(hf(tied), SCORED[:1])[0].status == "ok"


def test_half_of_an_encoder_decoder_model_is_not_scored(tiny: Tiny, tmp_path: Path) -> None:
    from transformers import BartConfig, BartForConditionalGeneration

    folder = without(tiny(), tmp_path / "both")
    BartForConditionalGeneration(BartConfig(**BART)).save_pretrained(folder)
    with pytest.raises(ModelError, match=r"both is an encoder-decoder model \(BartForConditionalGeneration\); evalkit reads decoders"):
        ask(hf(folder), SCORED[:1])


def test_a_family_without_decoder_is_refused_by_name(tiny: Tiny, tmp_path: Path) -> None:
    folder = without(tiny(), tmp_path / "sees", model_type="vit", architectures=["ViTModel"])
    with pytest.raises(ModelError, match=r"cannot be loaded as a causal language model: .*ViTConfig") as refused:
        ask(hf(folder), SCORED[:1])
    assert "\n" not in str(refused.value)


BART = {
    "vocab_size": 401,
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 512,
}


def test_a_family_that_suggests_a_forced_end_token_writes_on(tiny: Tiny, tmp_path: Path) -> None:
    """No file of a Bart names its forced end token: its class does, and `generate` would put it last."""
    import torch
    from transformers import BartConfig, BartForCausalLM

    folder = without(tiny(), tmp_path / "bart")
    (folder / "generation_config.json").unlink(missing_ok=True)
    torch.manual_seed(1)
    # An end token that this model never chooses by itself.
    BartForCausalLM(BartConfig(**BART, init_std=0.4, forced_eos_token_id=2, eos_token_id=400)).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    model, reference = hf(folder), loaded(folder)
    (answer,) = ask(model, [gen("A boy wets a muddy", 6)])
    ids = torch.tensor([model.encode([gen("A boy wets a muddy", 6)])[0].prompt_ids])
    as_suggested = reference.generate(ids, max_new_tokens=6, do_sample=False)[0, ids.shape[1] :]
    reference.generation_config.forced_eos_token_id = None
    as_asked = reference.generate(ids, max_new_tokens=6, do_sample=False)[0, ids.shape[1] :]
    assert as_suggested[-1] == 2 != as_asked[-1] and answer.text == model.tokenizer.decode(as_asked, skip_special_tokens=True)
    told = model.describe()["generation_config"]
    assert told["not_applied"]["forced_eos_token_id"] == 2 and told["applied"] == {"eos_token_id": [400]}


def test_a_prompt_beyond_the_positions_is_one_line(tiny: Tiny, tmp_path: Path) -> None:
    folder = gpt2(without(tiny(), tmp_path / "short"))
    with pytest.raises(ModelError, match=r"tiny failed on t/long .*index out of range"):
        ask(hf(folder, max_length=2048), [ll(("word " * 900, "end"), doc="long")])


def test_positions_that_begin_behind_the_padding_leave_fewer(tiny: Tiny, tmp_path: Path) -> None:
    from transformers import RobertaConfig, RobertaForCausalLM

    folder = without(tiny(), tmp_path / "roberta")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 401}
    RobertaForCausalLM(RobertaConfig(**sizes, is_decoder=True, max_position_embeddings=66)).save_pretrained(folder)
    model = hf(folder)
    assert model.max_length == 64
    (answer,) = ask(model, [ll(("word " * 90, "end"))])
    assert answer.status == "ok" and answer.truncated_tokens > 0


def test_a_cache_that_changes_the_text_is_not_used(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    requests: list[Request] = [gen(text, 8, doc=text) for text in ("A boy", "Question: how many eggs?")]
    expected = [answer.text for answer in ask(hf(tiny()), requests)]
    model = hf(tiny())
    runtime = model._runtime
    runtime.scorer.path = "plain"
    forward = runtime.model.forward

    def disturbed(input_ids: torch.Tensor, **more: Any) -> Any:
        told = forward(input_ids=input_ids, **more)
        if input_ids.shape[1] == 1:  # a step behind what is cached
            told.logits = told.logits.roll(1, -1)
        return told

    monkeypatch.setattr(runtime.model, "forward", disturbed)
    assert [answer.text for answer in ask(model, requests)] == expected
    assert any("its cache changes what it writes" in warning for warning in model.describe()["warnings"])
    monkeypatch.setattr(runtime.model, "forward", forward)
    del model._writes_with_a_cache
    assert model._writes_with_a_cache


def test_settings_that_do_not_exist_are_named(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match="float33"):
        ask(HFModel("x", path=str(tiny()), dtype="float33"), SCORED[:1])
    with pytest.raises(ModelError, match="nonsense"):
        ask(HFModel("x", path=str(tiny()), device="nonsense"), SCORED[:1])


@pytest.mark.parametrize("batch_tokens", [0, -5])
def test_a_pass_without_tokens_is_refused(batch_tokens: int) -> None:
    with pytest.raises(ModelError, match=f"batch_tokens={batch_tokens} reads nothing"):
        hf(Path("anywhere"), batch_tokens=batch_tokens)
