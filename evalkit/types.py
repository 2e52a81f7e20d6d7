"""The frozen values that flow through a run, from a data row to a printed score.

Nothing here imports anything of ours: every room may import this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; only the model's own template turns it into text."""

    role: Role
    content: str


Prompt = str | tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Doc:
    """One benchmark item, already cleaned.

    Attributes:
        id: unique within its task, stable across machines (`validation/17`, `hi/test/3`).
        fields: what prompt templates may name.
        choices: the answers to rank, in order; empty for free-form generation.
        target: gold index (int) for choices, gold text (str) or several golds (tuple of str).
        cluster: documents that share a passage or subject share this; None when independent.
        language: ISO 639 code, None when the benchmark has one language.
        group: the subject (or other stratum) the table breaks the score down by.
    """

    id: str
    fields: Mapping[str, Any]
    choices: tuple[str, ...] = ()
    target: Any = None
    cluster: str | None = None
    language: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class GenerationParams:
    """How to decode.

    Attributes:
        max_new_tokens: of the answer.
        stop: the answer is cut at the first occurrence of any of these.
        temperature: 0 is greedy; `top_p`, `top_k` and `min_p` then choose nothing.
        top_p: draw from the fewest likely tokens that together reach this probability.
        seed: of the draws.
        top_k: draw from this many likely tokens at most; 0 is all of them.
        min_p: draw from tokens at least this many times as likely as the likeliest one; 0 is all of them.
        repetition_penalty: the logit of a token that is in the prompt or in the text so far is divided by this where
            it is positive, multiplied where it is negative (Keskar et al. 2019); 1 is none.
        presence_penalty: taken off the logit of a token that is in the text so far; 0 is none.
    """

    max_new_tokens: int = 256
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0

    @property
    def penalised(self) -> bool:
        """Whether what was written changes what is likely next."""
        return self.repetition_penalty != 1 or self.presence_penalty != 0

    def fault(self) -> str | None:
        """The first value that cannot be, and what it must be; None when all can."""
        numbers = {name: getattr(self, name) for name in ("temperature", "top_p", "min_p", "repetition_penalty", "presence_penalty")}
        for name, value in {**numbers, "top_k": self.top_k, "max_new_tokens": self.max_new_tokens, "seed": self.seed}.items():
            if isinstance(value, bool) or not isinstance(value, int if name not in numbers else (int, float)):
                return f"{name}={value!r} must be a {'number' if name in numbers else 'whole number'}"
        wrong = {
            "max_new_tokens": (self.max_new_tokens < 1, "1 or more"),
            "temperature": (not 0 <= self.temperature < float("inf"), "0 (greedy) or more"),
            "top_p": (not 0 < self.top_p <= 1, "above 0 and at most 1"),
            "top_k": (self.top_k < 0, "0 (all tokens) or more"),
            "min_p": (not 0 <= self.min_p <= 1, "from 0 to 1"),
            "repetition_penalty": (not 0 < self.repetition_penalty < float("inf"), "above 0 (1 is none)"),
            "presence_penalty": (not -2 <= self.presence_penalty <= 2, "from -2 to 2"),
        }
        return next((f"{name}={getattr(self, name)!r} must be {right}" for name, (is_wrong, right) in wrong.items() if is_wrong), None)


@dataclass(frozen=True, slots=True)
class LoglikelihoodRequest:
    """Log-probability of each continuation after its context; (context, continuation) pairs."""

    task: str
    doc_id: str
    pairs: tuple[tuple[Prompt, str], ...]


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Text after a prompt; `num_samples` > 1 asks for independent samples of the same prompt."""

    task: str
    doc_id: str
    prompt: Prompt
    params: GenerationParams
    num_samples: int = 1


Request = LoglikelihoodRequest | GenerateRequest

# ok: a complete answer. length: generation used up max_new_tokens without a stop.
# thinking: the thought did not end, so there is no answer. empty: nothing but white space came back.
# flat: no log-likelihood tells one choice from another, so nothing was chosen. error: no answer; never stored, never scored.
# refused: the model declined and the server says so. filtered: a content filter stopped the prompt or the answer.
Status = Literal["ok", "length", "thinking", "empty", "flat", "refused", "filtered", "error"]


@dataclass(frozen=True, slots=True)
class Response:
    """What a model said to one request (to one sample of it, for generation).

    Attributes:
        key: the content hash the journal files it under.
        loglikelihoods: natural-log probabilities, one a pair; None for generation.
        greedy: per pair, whether greedy decoding would have produced the continuation.
        text: the answer: behind the thought, cut at the first stop; None for log-likelihoods.
        context_tokens: tokens the model read (the longest pair, for log-likelihoods).
        output_tokens: tokens scored, summed over pairs, or generated before the stop.
        truncated_tokens: context tokens dropped on the left because the model is too short.
        raw: everything that was said, uncut, thought and marks included; None where it is `text`.
        thinking: the thought alone, without its marks; None where there was none.
        finish: why the text ended, in the server's own word; `stop` or `length` for a local model.
    """

    key: str
    status: Status
    loglikelihoods: tuple[float, ...] | None = None
    greedy: tuple[bool, ...] | None = None
    text: str | None = None
    context_tokens: int = 0
    output_tokens: int = 0
    truncated_tokens: int = 0
    error: str | None = None
    raw: str | None = None
    thinking: str | None = None
    finish: str | None = None

    @property
    def said(self) -> str | None:
        """Everything the model said, as far as it was kept."""
        return self.text if self.raw is None else self.raw


@dataclass(frozen=True, slots=True)
class SampleScore:
    """One metric's verdict on one document.

    Attributes:
        value: in [0, 1] for accuracies; None = not measured, which is never 0.
        stats: sufficient statistics of a corpus metric (n-gram counts); empty for means.
        prediction: what was extracted, for people and for the sample page; None when unparsable.
        flags: why a sample deserves a second look: `invalid` (nothing could be extracted),
            `empty`, `length`, `thinking`, `flat`, `refused`, `filtered`, `truncated`, `error`.
        group: subject or language the breakdown uses.
        samples: answers whose mean this is.
    """

    doc_id: str
    value: float | None
    stats: tuple[float, ...] = ()
    prediction: Any = None
    cluster: str | None = None
    flags: tuple[str, ...] = ()
    group: str | None = None
    language: str | None = None
    samples: int = 1


@dataclass(frozen=True, slots=True)
class Signature:
    """What was measured and how, as parts in order. Its text (`chrF++|nw:2|…|ci:none`) is compared between runs.

    Attributes:
        parts: `key:value`, or a word alone: the metric's name comes first, and last what computes the score (`evalkit:1`).
    """

    parts: tuple[str, ...]

    @classmethod
    def of(cls, *parts: str) -> Signature:
        """Of these parts; empty ones are left out."""
        return cls(tuple(part for part in parts if part))

    @classmethod
    def read(cls, text: str) -> Signature:
        """The signature that prints as `text`."""
        return cls(tuple(text.split("|")))

    def plus(self, *parts: str) -> Signature:
        """With further parts at its end."""
        return Signature((*self.parts, *parts))

    @property
    def of_score(self) -> Signature:
        """Without how the interval was made (`ci:` and its `seed:`): that depends on the answers and does not move the score."""
        kept = [
            part
            for before, part in zip(("", *self.parts), self.parts, strict=False)
            if not part.startswith("ci:") and not (before.startswith("ci:") and part.startswith("seed:"))
        ]
        return Signature(tuple(kept))

    def __str__(self) -> str:
        return "|".join(self.parts)


@dataclass(frozen=True, slots=True)
class Summary:
    """A score that says what it is.

    Attributes:
        metric: name as printed (`acc_norm`).
        value: in the metric's own unit (fractions for accuracies, 0-1 for chrF++).
        stderr: standard error in the same unit; None when undefined (too few samples).
        ci: 95% interval, None when undefined; else it holds `value`.
        n: samples measured (the denominator).
        n_not_measured: samples whose value is None (failed requests), counted separately.
        n_invalid: measured samples from which nothing could be extracted.
        signature: what was measured, as `chrF++|nw:2|nc:6|case:mixed|sacrebleu:2.6.0`: the text of a `Signature`.
        groups: the same metric per subject or language, by name.
        macro: unweighted mean over `groups`; None without groups.
        corpus: for a corpus metric, the name in `evalkit.stats.CORPUS` of what turns summed sufficient statistics into
            the score (`chrf`); empty for a mean of sample values.
        weighted: the mean over documents, when `value` is the macro mean instead (a task's `average: macro`).
        n_apart: documents the metric is not about (unanswerable questions, for a score of answers); neither right nor
            wrong, and no gap in coverage.
        note: what a reader must know before trusting the number, or why there is none; printed below the table.
        no_interval: why a score that should have an interval has none (too few documents); empty when it has one, when
            nothing was measured, or when none was asked for. Printed below the table.
    """

    metric: str
    value: float | None
    stderr: float | None
    ci: tuple[float, float] | None
    n: int
    n_not_measured: int = 0
    n_invalid: int = 0
    signature: str = ""
    higher_is_better: bool = True
    groups: Mapping[str, Summary] = field(default_factory=dict)
    macro: float | None = None
    corpus: str = ""
    weighted: float | None = None
    n_apart: int = 0
    note: str = ""
    no_interval: str = ""

    def __str__(self) -> str:
        """A sentence: `acc 0.425, 95% interval 0.359 to 0.494, of 200 documents`."""
        if self.value is None:
            return f"{self.metric} not measured" + (f": {self.note}" if self.note else "")
        interval = f", 95% interval {self.ci[0]:.3f} to {self.ci[1]:.3f}" if self.ci else ", no interval"
        left_out = f" ({self.n_not_measured:,} more not measured)" if self.n_not_measured else ""
        return f"{self.metric} {self.value:.3f}{interval}, of {self.n:,} document{'s' * (self.n != 1)}{left_out}"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """What a notebook shows."""
        printer.text(str(self))


@dataclass(frozen=True, slots=True)
class LengthScore:
    """The score of documents of one length, in one language.

    Attributes:
        language: None where the benchmark has one language.
        length: tokens of prompt and answer, as asked for.
        depth: where what is asked for is, in per cent of the text, the lower end of a tenth (0, 10, … 90); None: anywhere.
        n: documents; with a depth, values that were to be found there.
    """

    language: str | None
    length: int
    depth: int | None
    n: int
    value: float
    ci: tuple[float, float] | None = None


# What every table calls scores of our own invented rows.
SAMPLE_ROWS = "sample rows, not the benchmark"


@dataclass(frozen=True)
class Evidence:
    """One task's documents with what was loaded about them; survives in `plan.jsonl`.

    Attributes:
        docs: the documents asked, in file order.
        n_total: documents of the whole evaluated split.
        languages_missing: languages of the benchmark of which no document was asked.
        chat: whether the prompts are conversations; None where an older plan does not say.
    """

    docs: tuple[Doc, ...]
    n_total: int
    source: str
    rows_sha256: str
    sample_rows: bool
    notes: tuple[str, ...] = ()
    chat: bool | None = None
    languages_missing: tuple[str, ...] = ()
