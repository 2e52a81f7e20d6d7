"""Written text is what one prompt at a time gives, whatever is written together with it and whatever memory allows."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from evalkit.models.base import WorkItem
from evalkit.models.batching import equal_batches
from evalkit.models.hf.forward import Forward
from evalkit.models.hf.generation import Generator
from evalkit.models.hf.plain_generation import generate_plainly
from evalkit.types import GenerationParams, Response
from tests.models.test_architectures import CACHED, PLAIN, TREE, VOCABULARY, build, one_thread  # noqa: F401

END = frozenset({2})


class Spelled:
    """Each id is one letter: text and tokens correspond."""

    def decode(self, ids: list[int], skip_special_tokens: bool = True) -> str:
        return "".join(chr(32 + i) for i in ids if not (skip_special_tokens and i in END))


def prompts(seed: int = 0) -> list[WorkItem]:
    """A long header, a longer one inside it, lone prompts, several samples, differing limits and a stop."""
    rng = random.Random(seed)

    def some(low: int, high: int) -> tuple[int, ...]:
        return tuple(rng.randrange(3, VOCABULARY) for _ in range(rng.randint(low, high)))

    shots = some(80, 80)
    heads = [shots, (*shots, *some(60, 60)), ()]
    items = []
    for number in range(18):
        prompt = (*heads[number % 3], *some(1, 40))
        stop = (chr(32 + rng.randrange(3, VOCABULARY)),) if number % 4 == 0 else ()
        params = GenerationParams(rng.randint(1, 40), stop=stop)
        items.append(WorkItem(f"g{number}", "t", str(number), 0, "generate", prompt_ids=prompt, params=params))
    for sample in range(4):
        hot = GenerationParams(20, temperature=1.0, top_p=0.9)
        items.append(WorkItem(f"s{sample}", "t", "s", sample, "generate", prompt_ids=shots, params=hot))
    return items


def generator(model: Any, room: int = 4000, budget: int = 256, most: int = 8, fill: int = 32) -> Generator:
    return Generator(Forward(model), Spelled(), END, room=room, budget=budget, most=most, fill=fill)


def written(generator: Generator, items: list[WorkItem]) -> dict[str, Response]:
    return {answer.key: answer for batch in generator.run(items) for answer in batch}


def alone(model: Any, item: WorkItem, **asked: Any) -> str:
    """transformers' own greedy decoding of one prompt, cut at the first stop."""
    assert item.params is not None
    ids = torch.tensor([item.prompt_ids])
    with torch.inference_mode():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=item.params.max_new_tokens,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=2,
            **asked,
        )
    text = Spelled().decode(out[0, ids.shape[1] :].tolist())
    return min((text.split(stop)[0] for stop in item.params.stop), key=len, default=text)


@pytest.mark.parametrize("name", TREE)
def test_greedy_text_equals_generate_one_at_a_time(name: str) -> None:
    model = build(name, TREE[name], torch.float64)
    items = prompts()
    found = written(generator(model), items)
    assert found.keys() == {item.key for item in items}
    for item in items:
        if item.params and item.params.temperature == 0:
            assert found[item.key].text == alone(model, item), item.key


@pytest.mark.parametrize("name", [*CACHED, *PLAIN])
def test_the_plain_path_does_too(name: str) -> None:
    model = build(name, (CACHED | PLAIN)[name], torch.float64)
    items = [item for item in prompts() if item.params and item.params.temperature == 0]
    found: dict[str, Response] = {}
    for batch in equal_batches(items, 200):
        for answers in generate_plainly(model, Spelled(), [items[i] for i in batch], pad=0, eos=END):
            found |= {answer.key: answer for answer in answers}
    # Its cache fails in transformers; then it writes without one.
    asked = {"use_cache": False} if name == "xLSTM" else {}
    assert {key: answer.text for key, answer in found.items()} == {item.key: alone(model, item, **asked) for item in items}


@pytest.mark.parametrize("name", ["Llama", "Gemma3Text"])
def test_room_company_and_order_change_nothing(name: str) -> None:
    """Samples included; with little room rows are put back and read again."""
    model = build(name, TREE[name], torch.float64)
    items = prompts()
    expected = written(generator(model), items)
    assert len({expected[f"s{i}"].text for i in range(4)}) > 1
    for room, budget, most, fill in ((300, 50, 22, 0), (1, 1000, 5, 7), (10**6, 17, 64, 400), (500, 1000, 1, 3)):
        shuffled = items[:]
        random.Random(room).shuffle(shuffled)
        assert written(generator(model, room, budget, most, fill), shuffled) == expected


def test_what_is_held_stays_within_the_room() -> None:
    model = build("Llama", TREE["Llama"], torch.float64)
    items = [item for item in prompts() if len(item.prompt_ids) < 50] * 1
    tight = generator(model, room=400, most=64)
    most = 0
    for _ in tight.run(items):
        most = max(most, tight._held())
    assert 0 < most <= 400


def test_answers_come_as_rows_finish_and_identical_prompts_are_read_once() -> None:
    model = build("Llama", TREE["Llama"], torch.float64)
    limits = [3, 30, 6, 12]
    items = [
        WorkItem(f"k{n}", "t", str(n), 0, "generate", prompt_ids=(5, 6, 7, 8), params=GenerationParams(new)) for n, new in enumerate(limits)
    ]
    sizes: list[int] = []
    model.register_forward_pre_hook(lambda _, __, kwargs: sizes.append(kwargs["input_ids"].numel()), with_kwargs=True)
    writer = generator(model, fill=0)
    sizes.clear()
    order = [answer.key for batch in writer.run(items) for answer in batch]
    assert sizes[0] == 4 and sizes[1] == 4 and sizes[-1] == 1
    assert len(order) == 4 and (order == ["k0", "k2", "k3", "k1"] or len(sizes) < 30)


def test_a_generator_left_in_the_middle_starts_afresh() -> None:
    """Ctrl-C in a notebook, then the same model again: no text and no header of the first call is left over."""
    model = build("Llama", TREE["Llama"], torch.float64)
    expected = written(generator(model), prompts(1))
    used = generator(model)
    next(iter(used.run(prompts(0))))
    assert written(used, prompts(1)) == expected


def test_a_text_that_repeats_itself_takes_fewer_steps() -> None:
    model = build("Gemma3Text", TREE["Gemma3Text"], torch.float64)
    loop = tuple(range(5, 12)) * 4
    items = [WorkItem(f"l{n}", "t", str(n), 0, "generate", prompt_ids=loop[n:], params=GenerationParams(60)) for n in range(3)]
    steps: list[int] = []
    model.register_forward_pre_hook(lambda _, __, kwargs: steps.append(kwargs["input_ids"].numel()), with_kwargs=True)
    texts, counts, most = [], [], []
    for fill in (0, 3, 40):
        writer = generator(model, fill=fill)
        steps.clear()
        texts.append(written(writer, items))
        counts.append(len(steps))
        most.append(max(steps[1:]))
    assert texts[1:] == texts[:1] * 2
    assert counts[0] == counts[1] == 60 and counts[2] < 40
    assert most[:2] == [3, 3] and 3 < most[2] <= 40
