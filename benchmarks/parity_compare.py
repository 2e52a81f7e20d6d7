"""Two dumps of the same documents, compared sample by sample. Pure: no model, no network, no files.

A dump is `{"docs": [...], "aggregates": {name: value}}`; `from_peer` and `from_ours` bring what each side writes into
that one shape. Nothing here rounds before comparing, and only log-likelihoods have a tolerance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

TOLERANCE = 1e-3  # nats, per log-likelihood
DIGITS = 4  # decimals the peer prints
KINDS = ("strict", "loose")

# ours -> (the peer's filter, the peer's metric); corpus metrics have no value per document
METRICS: dict[str, dict[str, tuple[str, str]]] = {
    "hellaswag": {"acc": ("none", "acc"), "acc_norm": ("none", "acc_norm")},
    "winogrande": {"acc": ("none", "acc")},
    "openbookqa": {"acc": ("none", "acc"), "acc_norm": ("none", "acc_norm")},
    "commonsense_qa": {"acc": ("none", "acc")},
    # Two tasks in the harness; `parity_peer.merged` makes them one, with a filter for each.
    "truthfulqa": {"mc2": ("mc2", "acc"), "mc1": ("mc1", "acc")},
    "mmlu": {"acc": ("none", "acc")},
    "triviaqa": {"exact_match": ("remove_whitespace", "exact_match")},
    "nq_open": {"exact_match": ("remove_whitespace", "exact_match")},
    "gsm8k": {"flexible_extract": ("flexible-extract", "exact_match"), "strict_match": ("strict-match", "exact_match")},
    "arc_challenge": {"acc": ("none", "acc"), "acc_norm": ("none", "acc_norm")},
    "arc_easy": {"acc": ("none", "acc"), "acc_norm": ("none", "acc_norm")},
    "ifeval": {name: ("none", name) for name in (f"{level}_level_{kind}_acc" for kind in KINDS for level in ("prompt", "inst"))},
    "humaneval": {"pass@1": ("create_test", "pass@1")},
    "flores_in_xx_en": {"chrf_pp": ("none", "chrf++"), "chrf": ("none", "chrf")},
    "flores_in_en_xx": {"chrf_pp": ("none", "chrf++"), "chrf": ("none", "chrf")},
}
CHOICE_TASKS = frozenset({"hellaswag", "winogrande", "openbookqa", "commonsense_qa", "truthfulqa", "mmlu", "arc_challenge", "arc_easy"})
CONTINUOUS = frozenset({"mc2"})  # not 0 or 1 per document but a number made of log-likelihoods, so no nearer than they are; decides nothing
EXTRACTS = frozenset({"exact_match", "pass@1"})  # metrics of the peer that judge something taken from the text
CATEGORIES = ("stem", "humanities", "social_sciences", "other")

Key = tuple[str, int]
Value = float | tuple[float | None, ...] | None


@dataclass(frozen=True)
class Sample:
    """One document on one side.

    Attributes:
        key: (language or "", row number in the rows' file, from 0).
        prompts: (context, continuation) pairs, or one 1-tuple for generation.
        decisions: chosen index per accuracy.
        extracted: answer found in the text per exact match; None when nothing could be extracted.
        values: score per metric; for instruction-level ones the verdict on each instruction.
    """

    key: Key
    prompts: tuple[tuple[str, ...], ...]
    loglikelihoods: tuple[float, ...] = ()
    greedy: tuple[bool, ...] = ()
    text: str | None = None
    decisions: Mapping[str, int | None] = field(default_factory=dict)
    extracted: Mapping[str, str | None] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass
class Tally:
    """How many of a kind were compared and how many of them agree."""

    total: int = 0
    equal: int = 0

    def add(self, same: bool) -> bool:
        self.total += 1
        self.equal += same
        return same

    def __str__(self) -> str:
        return f"{self.equal}/{self.total}" if self.total else "-"


@dataclass
class Comparison:
    """One task's verdict. `ok` is every count full, every difference within tolerance, nothing on one side alone."""

    task: str
    documents: int = 0
    prompts: Tally = field(default_factory=Tally)
    loglikelihoods: Tally = field(default_factory=Tally)
    max_difference: float = 0.0
    greedy: Tally = field(default_factory=Tally)
    decisions: Tally = field(default_factory=Tally)
    texts: Tally = field(default_factory=Tally)
    extracted: Tally = field(default_factory=Tally)
    values: Tally = field(default_factory=Tally)
    aggregates: list[dict[str, Any]] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    only_peer: list[Key] = field(default_factory=list)
    only_ours: list[Key] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        tallies = (self.prompts, self.loglikelihoods, self.greedy, self.decisions, self.texts, self.extracted, self.values)
        complete = self.documents > 0 and not self.only_peer and not self.only_ours and bool(self.aggregates)
        return complete and all(t.equal == t.total for t in tallies) and all(a["equal"] for a in self.aggregates)

    def as_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def argmax(values: Sequence[float]) -> int:
    """The first of the largest."""
    return max(range(len(values)), key=values.__getitem__)


def from_peer(task: str, dump: Mapping[str, Any]) -> list[Sample]:
    """The peer's documents. It logs no decision, so that is recomputed by its rule from its log-likelihoods:
    largest sum (acc), largest sum over characters of the choice without the delimiter's blank (acc_norm)."""
    return [_peer_sample(task, doc) for doc in dump["docs"]]


def _peer_sample(task: str, doc: Mapping[str, Any]) -> Sample:
    lls = tuple(doc["loglikelihoods"] or ())
    prompts = tuple(tuple(p) for p in doc["prompts"])
    decisions: dict[str, int | None] = {}
    extracted: dict[str, str | None] = {}
    values: dict[str, Value] = {}
    for name, (filter_name, metric) in METRICS[task].items():
        got = doc["filters"][filter_name]
        if metric in got["metrics"]:
            value = got["metrics"][metric]
            values[name] = tuple(map(float, value)) if isinstance(value, list) else float(value)
        if task in CHOICE_TASKS:
            if name not in CONTINUOUS:
                decisions[name] = _decision(name, prompts, lls, got.get("among"))
        elif metric in EXTRACTS:
            extracted[name] = None if got["extracted"] == "[invalid]" else got["extracted"]
    return Sample((doc["language"] or "", doc["row"]), prompts, lls, tuple(doc["greedy"] or ()), doc["text"], decisions, extracted, values)


def _decision(name: str, prompts: Sequence[Sequence[str]], lls: Sequence[float], among: Sequence[int] | None) -> int:
    lengths = [len(p[1].removeprefix(" ")) for p in prompts]
    ranked = [ll / n for ll, n in zip(lls, lengths, strict=True)] if name == "acc_norm" else lls
    return argmax(ranked) if among is None else among[argmax([ranked[i] for i in among])]


def from_ours(task: str, lines: Iterable[Mapping[str, Any]]) -> list[Sample]:
    """Our documents, from the lines of `samples.jsonl`; the row is the last part of the document's id."""
    return [_our_sample(task, line) for line in lines if line["task"] == task]


def _our_sample(task: str, line: Mapping[str, Any]) -> Sample:
    response = line["responses"][0] if line["responses"] else {}
    prompts = tuple((c, k) for c, k in line["pairs"]) if "pairs" in line else ((line["prompt"],),)
    scores = line["scores"]
    corpus = {name for name, (_, metric) in METRICS[task].items() if metric.startswith("chrf")}
    named = {name: scores[name] for name in METRICS[task] if name not in corpus}
    predictions = {name: score["prediction"] for name, score in named.items()}
    return Sample(
        key=(line.get("language") or "", int(str(line["doc"]).rsplit("/", 1)[-1])),
        prompts=prompts,
        loglikelihoods=tuple(response.get("loglikelihoods") or ()),
        greedy=tuple(response.get("greedy") or ()),
        text=None if "pairs" in line else response.get("text") or "",
        decisions={n: p for n, p in predictions.items() if n not in CONTINUOUS} if task in CHOICE_TASKS else {},
        extracted={n: _program(p) if n == "pass@1" else p for n, p in predictions.items() if METRICS[task][n][1] in EXTRACTS},
        values={name: _value(name, score) for name, score in named.items()},
    )


def _program(ran: Sequence[Mapping[str, Any]] | None) -> str | None:
    """The one program of a problem."""
    return str(ran[0]["program"]) if ran else None


def _value(name: str, score: Mapping[str, Any]) -> Value:
    return tuple(verdict for _, verdict in score["prediction"] or ()) if name.startswith("inst_level") else score["value"]


def peer_aggregates(task: str, results: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Printed scores by name: `acc`, `acc/anatomy`, `acc/stem`, `chrf_pp/hi`; in the peer's units."""
    found: dict[str, float] = {}
    for name, (filter_name, metric) in METRICS[task].items():
        for harness_task, scores in results.items():
            value = scores.get(f"{metric},{filter_name}")
            if isinstance(value, (int, float)):
                part = harness_task.removeprefix(f"parity_{task}_").removeprefix(task).removeprefix("_")
                found[f"{name}/{part}" if part else name] = float(value)
    return found


def our_aggregates(task: str, result: Mapping[str, Any], languages: Sequence[str] = ()) -> dict[str, float | None]:
    """The same names from one task of `scores.json`, in the peer's units (chrF++ from 0 to 100)."""
    found: dict[str, float | None] = {}
    for name, (_, metric) in METRICS[task].items():
        scale = 100.0 if metric.startswith("chrf") else 1.0
        whole = result["summaries"][name]
        # The groups of ifeval, by kind of instruction, are evalkit's alone.
        parts = (dict(whole["groups"]) if task != "ifeval" else {}) or ({languages[0]: whole} if len(languages) == 1 else {})
        parts |= result["categories"].get(name, {})
        if not languages:
            found[name] = whole["value"]
        found |= {f"{name}/{part}": None if s["value"] is None else s["value"] * scale for part, s in parts.items()}
    return found


def compare(
    task: str, peer: Sequence[Sample], ours: Sequence[Sample], peer_scores: Mapping[str, float], our_scores: Mapping[str, float | None]
) -> Comparison:
    """Every sample both sides have, then every printed score."""
    result = Comparison(task)
    left, right = {s.key: s for s in peer}, {s.key: s for s in ours}
    result.only_peer = sorted(left.keys() - right.keys())
    result.only_ours = sorted(right.keys() - left.keys())
    for key in sorted(left.keys() & right.keys()):
        result.documents += 1
        _compare_sample(result, left[key], right[key])
    for name in sorted(peer_scores.keys() | our_scores.keys()):
        a, b = peer_scores.get(name), our_scores.get(name)
        same = a is not None and b is not None and f"{a:.{DIGITS}f}" == f"{b:.{DIGITS}f}"
        difference = None if a is None or b is None else abs(a - b)
        result.aggregates.append({"name": name, "peer": a, "ours": b, "difference": difference, "equal": same})
    return result


def _compare_sample(result: Comparison, peer: Sample, ours: Sample) -> None:
    def note(what: str, a: Any, b: Any, same: bool) -> None:
        if not same:
            result.differences.append({"key": list(peer.key), "what": what, "peer": a, "ours": b})

    note("prompt", peer.prompts, ours.prompts, result.prompts.add(peer.prompts == ours.prompts))
    if peer.loglikelihoods or ours.loglikelihoods:
        same_number = len(peer.loglikelihoods) == len(ours.loglikelihoods)
        apart = [abs(a - b) for a, b in zip(peer.loglikelihoods, ours.loglikelihoods, strict=False)]
        result.max_difference = max([result.max_difference, *apart])
        for n, distance in enumerate(apart):
            near = result.loglikelihoods.add(distance <= TOLERANCE)
            note(f"log-likelihood {n}", peer.loglikelihoods[n], ours.loglikelihoods[n], near)
        if not same_number:
            note("number of log-likelihoods", len(peer.loglikelihoods), len(ours.loglikelihoods), result.loglikelihoods.add(False))
        note("greedy", peer.greedy, ours.greedy, result.greedy.add(peer.greedy == ours.greedy))
    if peer.text is not None or ours.text is not None:
        note("text", peer.text, ours.text, result.texts.add(peer.text == ours.text))
    for kind, tally in (("decisions", result.decisions), ("extracted", result.extracted), ("values", result.values)):
        a, b = getattr(peer, kind), getattr(ours, kind)
        for name in sorted(a.keys() | b.keys()):
            same = name in a and name in b and _equal(name, a[name], b[name])
            note(f"{kind} {name}", a.get(name), b.get(name), tally.add(same))


def _equal(name: str, a: Any, b: Any) -> bool:
    if name in CONTINUOUS and a is not None and b is not None:
        return bool(abs(a - b) <= TOLERANCE)
    return bool(a == b)
