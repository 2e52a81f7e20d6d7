"""The engine on a text of 8,192 tokens next to the model as transformers runs it, one sequence at a time.

    python benchmarks/long_context_exact.py --model smollm2_135m [--length 8192] [--documents 3] [--new-tokens 24]

The documents are those of `ruler_niah_depths` in English: one text, questions about several needles. Compared are the log-likelihoods of
several ends behind each prompt, which of them is likeliest, and the text that is written greedily. Exit code 1 when anything differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from typing import Any

import torch

from evalkit.config.compose import compose
from evalkit.config.setup import build
from evalkit.run.prepare import prepare_all
from evalkit.types import GenerateRequest, LoglikelihoodRequest

TASK = "ruler_niah_depths"
ENDS = (" 4837261", " 1020304.", " the number is not in the text")
TOLERANCE = 1e-3


def requests_of(model: Any, length: int, documents: int, new_tokens: int) -> tuple[list[LoglikelihoodRequest], list[GenerateRequest]]:
    words = [f"task={TASK}", "languages=[en]", f"lengths=[{length}]", f"tasks.{TASK}.prompt.params.max_new_tokens={new_tokens}"]
    parts = build(compose([*words, f"tasks.{TASK}.data.options.documents=10"]))
    prepared, _ = prepare_all(list(parts.tasks.values()), parts.source, documents, None, model)
    texts = [request for request in prepared[0].requests if isinstance(request, GenerateRequest)]
    texts = [replace(text, params=replace(text.params, temperature=0.0, max_new_tokens=new_tokens)) for text in texts]
    scored = [LoglikelihoodRequest(text.task, text.doc_id, tuple((text.prompt, end) for end in ENDS)) for text in texts]
    return scored, texts


def alone(model: Any, item: Any) -> list[float]:
    """Each end behind its whole context through the model's own forward pass."""
    found = []
    for context, target in item.pairs:
        with torch.inference_mode():
            ids = torch.tensor([(context + target)[:-1]])
            logits = model(input_ids=ids, use_cache=False, logits_to_keep=len(target)).logits[0]
        found.append(float(logits.double().log_softmax(-1)[range(len(target)), list(target)].sum()))
    return found


def written(model: Any, tokenizer: Any, item: Any, new_tokens: int) -> str:
    """What transformers writes greedily behind the same tokens."""
    ids = torch.tensor([item.prompt_ids])
    with torch.inference_mode():
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new_tokens, repetition_penalty=1.0
        )
    return str(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="smollm2_135m")
    parser.add_argument("--length", type=int, default=8192)
    parser.add_argument("--documents", type=int, default=3)
    parser.add_argument("--new-tokens", type=int, default=24)
    given = parser.parse_args()

    model: Any = build(compose([f"model={given.model}", "model.dtype=float32", "model.device=cpu"]), allow_no_task=True).model()
    scored, texts = requests_of(model, given.length, given.documents, given.new_tokens)
    items = [*model.encode(scored), *model.encode(texts)]
    start = time.monotonic()
    ours = {response.key: response for batch in model.answer(items, set()) for response in batch}
    print(f"engine: {time.monotonic() - start:.0f} s for {len(items)} requests", flush=True)
    loaded, start = model._runtime.model, time.monotonic()
    worst, wrong = 0.0, 0
    for item in items:
        mine = ours[item.key]
        if mine.loglikelihoods is not None:
            right = alone(loaded, item)
            off = max(abs(a - b) for a, b in zip(right, mine.loglikelihoods, strict=True))
            same = off <= TOLERANCE and right.index(max(right)) == mine.loglikelihoods.index(max(mine.loglikelihoods))
            worst = max(worst, off)
            print(f"document {item.doc_id}: {len(item.pairs[0][0]):,} tokens, largest difference {off:.1e}", flush=True)
        else:
            right_text = written(loaded, model.tokenizer, item, given.new_tokens)
            # A stop ends ours earlier; without one both have the same number of tokens.
            same = right_text == mine.said if mine.finish == "length" else bool(mine.said) and right_text.startswith(mine.said)
            print(f"document {item.doc_id}: {mine.said!r}, transformers {right_text!r}", flush=True)
        wrong += not same
    print(f"one at a time: {time.monotonic() - start:.0f} s; largest difference {worst:.1e}; {wrong} of {len(items)} differ")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
