"""`evalkit show`: what a model would be asked, without one."""

from __future__ import annotations

from typing import Any

from evalkit.commands.usage import words_of
from evalkit.commands.words import integer, not_taken, options
from evalkit.types import GenerateRequest, GenerationParams


def show(words: list[str]) -> int:
    """`evalkit show task=mmlu n=2`: what a model would be asked, without one."""
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.models.base import tokens_of
    from evalkit.run.prepare import prepare

    words, taken = options(words, *words_of("show"))
    not_taken(words, "limit", "show prints a few documents per task, of which n=… says the number")
    setup = build(compose(words))
    count = integer("n", taken.get("n", "2"))
    for task in setup.tasks.values():
        tokens = tokens_of(setup.model()) if task.data.generate and setup.make_model else None
        prepared = prepare(task, setup.source, count, setup.settings.chat, tokens=tokens)
        print(f"{task.name}: {task.num_fewshot} shots, headline {task.headline}; rows: {prepared.evidence.source}")
        for note in prepared.evidence.notes:
            print(f"  note: {note}")
        for doc, request in zip(prepared.evidence.docs, prepared.requests, strict=True):
            shots = ", ".join(shot.id for shot in prepared.shots[doc.id]) or "none"
            print(f"\n── {doc.id}  target: {doc.target!r}  shots: {shots}")
            _show_request(request)
        print()
    return 0


def _show_request(request: Any) -> None:
    from evalkit.store.samples import request_json

    shown = request_json(request)
    if "prompt" in shown:
        _show_prompt(shown["prompt"])
        print(f"   [generates] {_decoding(request)}")
        return
    contexts = [context for context, _ in shown["pairs"]]
    if all(context == contexts[0] for context in contexts):
        _show_prompt(contexts[0])
        for index, (_, continuation) in enumerate(shown["pairs"]):
            print(f"   [continuation {index}] {continuation!r}")
        return
    for index, (context, continuation) in enumerate(shown["pairs"]):
        print(f"   [pair {index}] context:")
        _show_prompt(context)
        print(f"   [pair {index}] continuation: {continuation!r}")


def _decoding(request: GenerateRequest) -> str:
    """How an answer is made, in words; of what is off or at its default nothing."""
    params = request.params
    drawn = ("top_p", "top_k", "min_p") if params.temperature else ()
    told = [f"at most {params.max_new_tokens:,} tokens", f"temperature {params.temperature:g}" if params.temperature else "greedy"]
    default = GenerationParams()
    for name in (*drawn, "repetition_penalty", "presence_penalty", "seed"):
        if getattr(params, name) != getattr(default, name):
            told.append(f"{name} {getattr(params, name):g}")
    if params.stop:
        told.append(f"ends before {' or '.join(map(repr, params.stop))}")
    return ", ".join(told) + (f"; {request.num_samples} samples" if request.num_samples > 1 else "")


def _show_prompt(prompt: str | list[dict[str, str]]) -> None:
    if isinstance(prompt, str):
        print("\n".join(f"   │ {line}" for line in prompt.split("\n")))
        return
    for turn in prompt:
        print(f"   [{turn['role']}]")
        _show_prompt(turn["content"])
