"""Whether programs do what a problem asks: run, not read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalkit import stats
from evalkit.errors import ConfigError, DataError
from evalkit.metrics.base import TOO_FEW, VERSION, sample, usable, with_groups
from evalkit.sandbox import Executor, Outcome, Program
from evalkit.types import Doc, Response, SampleScore, Signature, Summary

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

    A program is prompt + answer; the problem's test decides about it in the sandbox. Value: the problem's pass@k.
    A problem with fewer than k samples is not measured.

    Attributes:
        sandbox: what runs the programs; equal ones are run once.
        cut: an answer ends before this text (a closing code fence).
        resamples: bootstrap resamples of the problems, for stderr and 95% interval (percentiles).
    """

    k: int
    sandbox: Executor = field(repr=False)
    name: str = ""
    cut: str | None = None
    resamples: int = 1000
    seed: int = 12345
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise ConfigError(f"metric pass@k: k={self.k!r} is not a whole number above 0")
        if self.resamples < 100:
            raise ConfigError(f"metric pass@k: resamples={self.resamples} gives no interval; use 100 and more")
        object.__setattr__(self, "name", self.name or f"pass@{self.k}")

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
        programs = {doc.id: [self.program(doc, r.text or "") for r in usable(answers.get(doc.id, ()))] for doc in docs}
        outcomes = iter(self.sandbox.run([program for doc in docs for program in programs[doc.id]]))
        return [self._sample(doc, answers.get(doc.id, ()), [(p, next(outcomes)) for p in programs[doc.id]]) for doc in docs]

    def program(self, doc: Doc, answer: str) -> Program:
        if missing := [name for name in NEEDED if not isinstance(doc.fields.get(name), str)]:
            raise DataError(f"document {doc.id}: no text under {missing[0]!r}; pass@k needs {', '.join(NEEDED)}: mend to_doc")
        prompt, test, entry_point = (doc.fields[name] for name in NEEDED)
        kept = answer.partition(self.cut)[0] if self.cut else answer
        return Program(prompt + kept, f"{test}\ncheck({entry_point})", entry_point, prompt)

    def _sample(self, doc: Doc, responses: Sequence[Response], ran: Sequence[tuple[Program, Outcome]]) -> SampleScore:
        n, c = len(ran), sum(outcome.passed for _, outcome in ran)
        value = pass_at_k(n, c, self.k) if n >= self.k else None
        shown = [{"program": program.source, "outcome": outcome.status, "message": outcome.message} for program, outcome in ran]
        return sample(doc, responses, value, prediction=shown, sufficient=(float(c), float(n)))

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
        asked = [
            f"n:{'-'.join(map(str, dict.fromkeys((samples[0], samples[-1]))))}" if samples else "n:0",
            f"sandbox:{self.sandbox.name}",
            f"seconds:{limits.seconds:g}",
            f"memory:{limits.memory_mb}MiB",
        ]
        return Summary(
            metric=self.name,
            value=stats.mean(values) if values else None,
            stderr=stderr,
            ci=ci,
            n=len(values),
            n_not_measured=len(scores) - len(values),
            signature=str(Signature.of(self.name, *asked, f"ci:{method}", VERSION)),
            higher_is_better=self.higher_is_better,
            no_interval=TOO_FEW if values and few else "",
            note=self._too_few_samples(scores),
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
