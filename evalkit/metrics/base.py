"""What every metric offers, and the summarising they share: counts, groups, macro mean, intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from evalkit import stats
from evalkit.types import Doc, Response, SampleScore, Signature, Summary

UNIT = (0.0, 1.0)
# Raised whenever a score of ours could change although model, rows and settings stay the same.
VERSION = "evalkit:1"
TOO_FEW = "too few documents for an interval"


@runtime_checkable
class Metric(Protocol):
    """Scores one document, then a benchmark. Stateless: re-scoring saved answers gives the same numbers."""

    if TYPE_CHECKING:  # read and never set, so that a frozen dataclass is one; plain names at run time, for classes that inherit from this

        @property
        def name(self) -> str: ...

        @property
        def higher_is_better(self) -> bool: ...

    else:
        name: str
        higher_is_better: bool

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """One document's verdict. `responses`: one for log-likelihoods, num_samples for generation. Nothing usable
        (none, or status error) gives value None: not measured, never 0."""
        ...

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """The benchmark's score with stderr, 95% interval, counts, signature and breakdown."""
        ...


@runtime_checkable
class ChecksDocs(Protocol):
    """A metric that can tell before any model is asked that a document cannot be scored."""

    def check(self, doc: Doc) -> None:
        """Raises DataError naming the document and what to fix."""
        ...


@runtime_checkable
class NeedsReady(Protocol):
    """A metric that needs something of the machine, and can tell before any model is asked whether it is there."""

    def ready(self) -> None:
        """Raises an EvalkitError saying what is missing and what to do."""
        ...


@runtime_checkable
class ChecksSamples(Protocol):
    """A metric that cannot score any number of samples per document, and can tell before any model is asked."""

    def check_samples(self, n: int) -> None:
        """Raises ConfigError when `n` samples per document cannot be scored."""
        ...


@runtime_checkable
class BatchMetric(Metric, Protocol):
    """A metric that is cheaper over all documents at once: an encoder's batches, a pool of sandboxes."""

    def score_all(self, docs: Sequence[Doc], answers: Mapping[str, Sequence[Response]]) -> list[SampleScore]:
        """What `score` says of each document, in order; `answers` are responses by document id."""
        ...


def score_documents(metric: Metric, docs: Sequence[Doc], answers: Mapping[str, Sequence[Response]]) -> list[SampleScore]:
    """One verdict a document, in order; a metric that has `score_all` gets them all at once."""
    score_all = getattr(metric, "score_all", None)
    return score_all(docs, answers) if score_all else [metric.score(doc, answers.get(doc.id, ())) for doc in docs]


def usable(responses: Sequence[Response]) -> list[Response]:
    """The responses that are answers; an error is none, nor are log-likelihoods that choose nothing."""
    return [r for r in responses if r.status not in ("error", "flat")]


def flags_of(responses: Sequence[Response], *, invalid: bool = False) -> tuple[str, ...]:
    """Remarks about a document's responses, each once: invalid, empty, length, thinking, flat, refused, filtered, truncated, error."""
    remarks = {
        "invalid": invalid,
        "empty": any(r.status == "empty" for r in responses),
        "length": any(r.status == "length" for r in responses),
        "thinking": any(r.status == "thinking" for r in responses),
        "flat": any(r.status == "flat" for r in responses),
        "refused": any(r.status == "refused" for r in responses),
        "filtered": any(r.status == "filtered" for r in responses),
        "truncated": any(r.truncated_tokens > 0 for r in responses),
        "error": not responses or any(r.status == "error" for r in responses),
    }
    return tuple(name for name, holds in remarks.items() if holds)


def sample(
    doc: Doc,
    responses: Sequence[Response],
    value: float | None,
    *,
    prediction: object = None,
    sufficient: tuple[float, ...] = (),
    invalid: bool = False,
) -> SampleScore:
    """A SampleScore carrying the document's group, language, cluster and the remarks about its responses."""
    return SampleScore(
        doc_id=doc.id,
        value=value,
        stats=sufficient,
        prediction=prediction,
        cluster=doc.cluster,
        flags=flags_of(responses, invalid=invalid),
        group=doc.group,
        language=doc.language,
        samples=max(1, len(usable(responses))),
    )


def over_samples(doc: Doc, responses: Sequence[Response], one: Callable[[Response], SampleScore]) -> SampleScore:
    """The verdict on a document of several samples: the mean of the verdicts on each.

    Args:
        one: scores a single answer.
    """
    answers = usable(responses)
    return merged(responses, [one(answer) for answer in answers]) if answers else sample(doc, responses, None)


def merged(responses: Sequence[Response], each: Sequence[SampleScore]) -> SampleScore:
    """Verdicts on the samples of one document as one: means of value and statistics, every prediction, every remark.

    The mean of the statistics lets every document weigh alike in a corpus score, however many samples it has, and the order of
    the samples mean nothing. Documents stay what is resampled, so the samples of one are never taken for independent.

    Args:
        responses: all of the document's.
        each: of the samples that count, one at least.
    """
    if len(each) == len(responses) == 1:
        return each[0]
    values = [score.value for score in each if score.value is not None]
    told = [flag for score in each for flag in score.flags]
    flags = flags_of(responses, invalid="invalid" in told)
    return replace(
        each[0],
        value=stats.mean(values) if values else None,
        stats=tuple(stats.mean(column) for column in zip(*(score.stats for score in each), strict=True)),
        prediction=each[0].prediction if len(each) == 1 else tuple(score.prediction for score in each),
        flags=tuple(dict.fromkeys([*flags, *told])),
        samples=len(responses),
    )


def of_samples(scores: Sequence[SampleScore]) -> list[str]:
    """For a signature: that documents have the mean of several answers, where they do. Some metrics once scored the first alone."""
    return ["samples:mean"] if any(score.samples > 1 for score in scores) else []


def by_group(scores: Sequence[SampleScore]) -> dict[str, list[SampleScore]]:
    """Scores per language when there are several, else per doc.group, else nothing; order of first appearance.

    Documents without the label that others carry are kept, under `other`.
    """
    languages = {s.language for s in scores if s.language is not None}
    label: Callable[[SampleScore], str | None] = (lambda s: s.language) if len(languages) > 1 else (lambda s: s.group)
    if all(label(s) is None for s in scores):
        return {}
    groups: dict[str, list[SampleScore]] = {}
    for score in scores:
        groups.setdefault(label(score) or "other", []).append(score)
    return groups


def with_groups(whole: Summary, scores: Sequence[SampleScore], one: Callable[[Sequence[SampleScore]], Summary]) -> Summary:
    """`whole` with `one` applied to every group, and the unweighted mean over the groups that have a value."""
    groups: Mapping[str, Summary] = {name: one(members) for name, members in by_group(scores).items()}
    values = [g.value for g in groups.values() if g.value is not None]
    return replace(whole, groups=groups, macro=stats.mean(values) if values else None)


def macro_average(summary: Summary) -> Summary:
    """The summary with the unweighted mean over its groups as its value; the mean over documents moves to `weighted`.

    stderr: sqrt(sum of the groups' squared stderrs) / k (Student's t with the smallest group's n - 1 for the interval);
    None, as the interval is, where a group has none, and `no_interval` says so. A summary without groups stays as it is.
    """
    groups = list(summary.groups.values())
    if summary.macro is None or any(group.value is None for group in groups):
        return summary
    stderrs = [group.stderr for group in groups if group.stderr is not None]
    stderr = stats.macro_stderr(stderrs) if len(stderrs) == len(groups) else None
    ci, no_interval = summary.ci, summary.no_interval
    if stderr is None:
        ci = None
        if any(group.no_interval for group in groups):
            no_interval = few_in(sum(group.stderr is None for group in groups), len(groups), "groups")
    elif stderr:
        unit = all(group.ci and group.ci[0] >= 0 and group.ci[1] <= 1 for group in groups)
        ci = within(stats.t_interval(summary.macro, stderr, min(g.n for g in groups) - 1), UNIT if unit else None)
    elif ci is None or not ci[0] <= summary.macro <= ci[1]:
        # No group varies: a stderr of 0 would claim certainty. The interval over documents does not, where it is about this
        # value; else the mean of the groups' own bounds, which is on the wide side.
        bounds = [group.ci for group in groups if group.ci]
        ci = (stats.mean([low for low, _ in bounds]), stats.mean([high for _, high in bounds])) if len(bounds) == len(groups) else None
    return replace(
        summary,
        value=summary.macro,
        weighted=summary.value,
        stderr=stderr,
        ci=ci,
        no_interval=no_interval,
        signature=str(Signature.read(summary.signature).plus("average:macro")),
    )


def cluster_labels(scores: Sequence[SampleScore]) -> list[object] | None:
    """One label a score, or None when treating the scores as independent is right.

    A document without a cluster is one of its own. Independent: no cluster with two members, or a single cluster that
    holds several documents (one subject of many: the score then speaks about that subject, whose documents are the sample).
    """
    labels: list[object] = [(i,) if s.cluster is None else s.cluster for i, s in enumerate(scores)]
    one_subject = len(set(labels)) == 1 and len({s.doc_id for s in scores}) > 1
    return None if one_subject or len(set(labels)) == len(labels) else labels


def mean_summary(
    name: str,
    scores: Sequence[SampleScore],
    signature: Sequence[str],
    *,
    higher_is_better: bool = True,
    bounds: tuple[float, float] | None = UNIT,
) -> Summary:
    """A mean over documents, whole and by group; `bounds` is the range of a value, which intervals do not leave."""

    def one(part: Sequence[SampleScore]) -> Summary:
        return mean_of(name, part, signature, higher_is_better=higher_is_better, bounds=bounds)

    return with_groups(one(scores), scores, one)


def mean_of(
    name: str,
    scores: Sequence[SampleScore],
    signature: Sequence[str],
    *,
    higher_is_better: bool = True,
    bounds: tuple[float, float] | None = UNIT,
) -> Summary:
    """A mean over documents as one whole, without a breakdown."""
    measured = [s for s in scores if s.value is not None]
    values = [s.value for s in measured if s.value is not None]
    stderr, ci, method = uncertainty(values, cluster_labels(measured), bounds)
    return Summary(
        metric=name,
        value=stats.mean(values) if values else None,
        stderr=stderr,
        ci=ci,
        n=len(values),
        n_not_measured=len(scores) - len(values),
        n_invalid=count_invalid(measured),
        signature=str(Signature.of(name, *signature, *of_samples(measured), f"ci:{method}", VERSION)),
        higher_is_better=higher_is_better,
        no_interval=TOO_FEW if values and ci is None else "",
    )


def count_invalid(measured: Sequence[SampleScore]) -> int:
    """Measured samples from which nothing could be extracted."""
    return sum("invalid" in s.flags for s in measured)


def uncertainty(
    values: Sequence[float], clusters: Sequence[object] | None, bounds: tuple[float, float] | None
) -> tuple[float | None, stats.Interval | None, str]:
    """(stderr, 95% interval, name of the interval's method) of a mean of values.

    0/1 values: Wilson. Other values: Student's t with n-1 degrees of freedom. Clusters: cluster-robust stderr, t with
    G-1; when no cluster differs from another, a stderr of 0 would claim certainty, so for 0/1 values Wilson with the G
    clusters as sample size (each cluster may be one observation's worth). Fewer than two values or clusters: neither.
    """
    n = len(values)
    if stats.too_few([range(n) if clusters is None else clusters]):
        return None, None, "none"
    centre, binary = stats.mean(values), bounds == UNIT and all(v in (0.0, 1.0) for v in values)
    if clusters is not None:
        stderr, g = stats.clustered_stderr(values, clusters), len(set(clusters))
        if binary and not stderr:
            return stderr, stats.wilson(centre * g, g), "wilson-clusters"
        return stderr, within(stats.t_interval(centre, stderr or 0.0, g - 1), bounds), "cluster-t"
    stderr = stats.stderr_of_mean(values)
    if binary:
        return stderr, stats.wilson(sum(values), n), "wilson"
    return stderr, within(stats.t_interval(centre, stderr or 0.0, n - 1), bounds), "t"


def few_in(few: int, of: int, kind: str) -> str:
    """Why a score over several parts has no interval."""
    return TOO_FEW if of == 1 else f"{TOO_FEW} (fewer than two in {few} of {of} {kind})"


def within(interval: stats.Interval, bounds: tuple[float, float] | None) -> stats.Interval:
    """The interval, cut at the ends of what a value can be."""
    if bounds is None:
        return interval
    return max(bounds[0], interval[0]), min(bounds[1], interval[1])
