"""Whether programs do what a problem asks: run, not read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from evalkit import stats
from evalkit.errors import ConfigError, DataError
from evalkit.metrics.base import TOO_FEW, VERSION, count_invalid, sample, usable, with_groups
from evalkit.metrics.extraction.code import program as extract
from evalkit.metrics.extraction.marks import READING
from evalkit.sandbox import Executor, Outcome, Program
from evalkit.types import Doc, Response, SampleScore, Signature, Summary

NO_PROGRAM = "no program"
DISPUTED = "disputed"
SHOWN = 5  # problems with disputed programs that a note names
NEEDED = ("prompt", "test", "entry_point")


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of the chance that one of k samples passes, when c of n did: `1 - C(n-c, k) / C(n, k)`.

    Chen et al., "Evaluating Large Language Models Trained on Code" (2021), eq. 1.

    Raises:
        ValueError: k > n, for which there is no estimate.
    """
    if not 0 < k <= n or not 0 <= c <= n:
        raise ValueError(f"pass@{k} cannot be estimated from {c} of {n} samples")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


@dataclass(frozen=True)
class PassAtK:
    """pass@k over problems in HumanEval's form: fields `prompt`, `test` (which defines `check`) and `entry_point`.

    A program is prompt + answer, as the reference has it; with `extracted`, the program that the answer means
    (`extraction.code.program`). The problem's test decides about it in the sandbox. Value: the problem's pass@k.
    A problem with fewer than k samples is not measured. A disputed program counts as not passed; the note names its problem and says
    what the value would be had all of them passed, and the document carries the flag `disputed`.

    Attributes:
        sandbox: what runs the programs; equal ones are run once.
        cut: an answer ends before this text (a closing code fence).
        extracted: read the program out of fences and prose. An answer without one fails; the note counts them, and a problem
            none of whose answers holds one is `invalid`.
        resamples: bootstrap resamples of the problems, for stderr and 95% interval (percentiles).
    """

    k: int
    sandbox: Executor = field(repr=False)
    name: str = ""
    cut: str | None = None
    extracted: bool = False
    resamples: int = 1000
    seed: int = 12345
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise ConfigError(f"metric pass@k: k={self.k!r} is not a whole number above 0")
        if self.resamples < 100:
            raise ConfigError(f"metric pass@k: resamples={self.resamples} gives no interval; use 100 and more")
        if self.extracted and self.cut is not None:
            raise ConfigError(f"metric pass@k: cut={self.cut!r} and extracted are two ways to read an answer; leave one of them out")
        object.__setattr__(self, "name", self.name or f"pass@{self.k}" + (", extracted" if self.extracted else ""))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the table has to know."""
        return ("programs ran WITHOUT a sandbox (sandbox=unsafe)",) if self.sandbox.name == "unsafe" else ()

    def ready(self) -> None:
        """Raises SandboxError where programs cannot be run, before any are asked for."""
        self.sandbox.check()

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """One problem; `score_all` runs the programs of all in parallel."""
        return self.score_all([doc], {doc.id: responses})[0]

    def score_all(self, docs: Sequence[Doc], answers: Mapping[str, Sequence[Response]]) -> list[SampleScore]:
        """Raises SandboxError when the sandbox fails; DataError when a document is no problem of this form."""
        programs = {doc.id: [self.program(doc, r) for r in usable(answers.get(doc.id, ()))] for doc in docs}
        outcomes = iter(self.sandbox.run([program for doc in docs for program in programs[doc.id] if program is not None]))
        ran = {name: [(p, None if p is None else next(outcomes)) for p in of] for name, of in programs.items()}
        return [self._sample(doc, answers.get(doc.id, ()), ran[doc.id]) for doc in docs]

    def program(self, doc: Doc, response: Response) -> Program | None:
        """What is run for one answer; None where it holds no program."""
        if missing := [name for name in NEEDED if not isinstance(doc.fields.get(name), str)]:
            raise DataError(f"document {doc.id}: no text under {missing[0]!r}; pass@k needs {', '.join(NEEDED)}: fix to_doc")
        prompt, test, entry_point = (doc.fields[name] for name in NEEDED)
        answer = response.text or ""
        if self.extracted:
            # A stop such as a fence may have cut the program off; everything said is kept.
            said = (answer, _behind_thought(response))
            source = next((found for text in said if (found := extract(text, prompt, entry_point)) is not None), None)
        else:
            source = prompt + (answer.partition(self.cut)[0] if self.cut else answer)
        return None if source is None else Program(source, f"{test}\ncheck({entry_point})", entry_point, prompt)

    def _sample(self, doc: Doc, responses: Sequence[Response], ran: Sequence[tuple[Program | None, Outcome | None]]) -> SampleScore:
        n, c = len(ran), sum(outcome is not None and outcome.passed for _, outcome in ran)
        value = pass_at_k(n, c, self.k) if n >= self.k else None
        shown = [
            {"program": program.source, "outcome": outcome.status, "message": outcome.message}
            if program and outcome
            else {"program": "", "outcome": NO_PROGRAM, "message": ""}
            for program, outcome in ran
        ]
        without = sum(program is None for program, _ in ran)
        sufficient = (float(c), float(n), float(without)) if self.extracted else (float(c), float(n))
        scored = sample(doc, responses, value, prediction=shown, sufficient=sufficient, invalid=bool(ran) and without == n)
        return replace(scored, flags=(*scored.flags, DISPUTED)) if _disputed(scored) else scored

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """The mean over problems, stderr and interval by bootstrap over them."""
        return with_groups(self._one(scores), scores, self._one)

    def _one(self, scores: Sequence[SampleScore]) -> Summary:
        values = [s.value for s in scores if s.value is not None]
        few = stats.too_few([range(len(values))])
        stderr, ci = (None, None) if few else self._bootstrap(values)
        method = f"bootstrap-{self.resamples}" if ci else "none"
        if ci and set(values) in ({0.0}, {1.0}):
            # Drawn again and again, equal problems stay equal: an interval of no width would claim certainty.
            ci, method = stats.wilson(sum(values), len(values)), "wilson"
        samples = sorted({int(s.stats[1]) for s in scores if s.value is not None and len(s.stats) > 1})
        limits = self.sandbox.limits
        without = sum(int(s.stats[2]) for s in scores if len(s.stats) > 2)
        of = sum(int(s.stats[1]) for s in scores if len(s.stats) > 2)
        asked = [
            f"n:{'-'.join(map(str, dict.fromkeys((samples[0], samples[-1]))))}" if samples else "n:0",
            f"sandbox:{self.sandbox.name}",
            f"seconds:{limits.seconds:g}",
            f"memory:{limits.memory_mb}MiB",
            *(["extract:code", READING] if self.extracted else []),
        ]
        return Summary(
            metric=self.name,
            value=stats.mean(values) if values else None,
            stderr=stderr,
            ci=ci,
            n=len(values),
            n_not_measured=len(scores) - len(values),
            n_invalid=count_invalid([s for s in scores if s.value is not None]),
            signature=str(Signature.of(self.name, *asked, f"ci:{method}", VERSION)),
            higher_is_better=self.higher_is_better,
            no_interval=TOO_FEW if values and few else "",
            note="; ".join(
                filter(
                    None,
                    (
                        f"{without} of {of} answers hold no program" if without else "",
                        self._disputes(scores),
                        self._too_few_samples(scores),
                    ),
                )
            ),
        )

    def _disputes(self, scores: Sequence[SampleScore]) -> str:
        """Programs that passed only where they could have forged it: how many, of which problems, what they could change."""
        found = {s.doc_id: _disputed(s) for s in scores if s.value is not None and _disputed(s)}
        if not found:
            return ""
        highest = stats.mean(
            [pass_at_k(int(s.stats[1]), int(s.stats[0]) + found.get(s.doc_id, 0), self.k) for s in scores if s.value is not None]
        )
        shown = ", ".join(list(found)[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
        count = sum(found.values())
        return (
            f"{count} program{'s are' if count > 1 else ' is'} disputed (the test passes in the program's own process alone) "
            f"and counted as not passed: {shown}; had all of them passed, {self.name} would be {highest:.3f}"
        )

    def _too_few_samples(self, scores: Sequence[SampleScore]) -> str:
        """Which problems have no estimate because k is more than their samples; empty when none has."""
        fewer = sorted(int(s.stats[1]) for s in scores if s.value is None and len(s.stats) > 1 and 0 < s.stats[1] < self.k)
        if not fewer:
            return ""
        said = f"{fewer[0]}" if fewer[0] == fewer[-1] else f"{fewer[0]} to {fewer[-1]}"
        return f"{self.name} needs {self.k} samples of a problem; {len(fewer)} have fewer ({said}: n < k), so there is no estimate for them"

    def _bootstrap(self, values: Sequence[float]) -> tuple[float, stats.Interval]:
        import numpy as np

        totals = stats.bootstrap_totals([[v] for v in values], self.resamples, np.random.default_rng(self.seed))
        means = totals[:, 0] / len(values)
        low, high = np.quantile(means, (0.5 - stats.LEVEL / 2, 0.5 + stats.LEVEL / 2))
        return float(means.std(ddof=1)), (float(low), float(high))


def _disputed(score: SampleScore) -> int:
    """How many of a problem's programs are disputed."""
    ran = score.prediction if isinstance(score.prediction, list) else []
    return sum(isinstance(one, dict) and one.get("outcome") == DISPUTED for one in ran)


def _behind_thought(response: Response) -> str:
    """Everything that was said behind the thought, stops or not."""
    said = response.said or ""
    return said.rpartition(response.thinking)[2] if response.thinking else said
