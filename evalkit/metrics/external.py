"""Any metric of the Hugging Face `evaluate` library, by configuration."""

from __future__ import annotations

import hashlib
import math
import os
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from evalkit import stats
from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.extras import missing, need
from evalkit.metrics.accuracy import choose, right_indices
from evalkit.metrics.base import TOO_FEW, VERSION, cluster_labels, count_invalid, mean_summary, sample, usable, with_groups
from evalkit.metrics.exact_match import Extract, gold_texts
from evalkit.types import Doc, Response, SampleScore, Signature, Summary

CASTS: Mapping[str, Callable[[Any], Any]] = {"str": str, "int": int, "float": float}


@dataclass(frozen=True, slots=True)
class PairScore(SampleScore):
    """A SampleScore that also carries the pair a corpus metric is computed from, after casting."""

    pair: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class EvaluateMetric:
    """A metric of the `evaluate` library over generated texts or over chosen indices.

    Attributes:
        path: what `evaluate.load` takes: a hub name (`f1`), or a local folder or .py file.
        config_name, revision: the module's own configuration (`glue` has one a subset); the hub version to pin.
        key: which entry of the module's result is the score; None when there is only one.
        compute: further arguments of the module's `compute` (`{average: macro}`).
        scale: the score is multiplied by this (0.01 for modules that return 0-100).
        of: `text` compares generated text with the gold answers, `choice` the chosen index with the right one.
        cast: what predictions and references become; None is str for texts, int for choices.
        references: `first` gives one reference a document, `all` a list of them (as sacrebleu wants).
        extract: finds the answer in a text. Nothing found, or an answer that cannot be cast, counts as invalid.
        invalid: the prediction put in an invalid answer's place; needed when cast is int or float.
        normalize: for `of: choice`, as in Accuracy.
        sample_value: the value of one sample: `module` runs the module on that pair alone; `equal` is 1 when prediction
            and first reference are equal, else 0: for modules that need more than one pair. The benchmark's score is
            always the module's over all pairs.
        resamples: bootstrap resamples for stderr and interval of a corpus score. Each runs the module once more.

    When the score is a list with one number per document, it is a mean with its own interval; else it is a corpus score
    over all pairs. Several samples per document are refused: a module takes one prediction for each. It gives no statistics
    that could be summed, so this is no `CorpusMetric`: the bootstrap runs the module again, and a corpus score cannot be
    paired by `evalkit compare`.
    """

    path: str
    name: str
    config_name: str | None = None
    revision: str | None = None
    key: str | None = None
    compute: Mapping[str, Any] = field(default_factory=dict)
    scale: float = 1.0
    of: Literal["text", "choice"] = "text"
    cast: Literal["str", "int", "float"] | None = None
    references: Literal["first", "all"] = "first"
    extract: Extract | None = None
    invalid: Any = None
    normalize: Literal["chars", "bytes"] | None = None
    sample_value: Literal["module", "equal"] = "module"
    resamples: int = 0
    seed: int = 12345
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        for option, known in (
            ("of", ("text", "choice")),
            ("references", ("first", "all")),
            ("sample_value", ("module", "equal")),
            ("cast", (None, *CASTS)),
            ("normalize", (None, "chars", "bytes")),
        ):
            value = getattr(self, option)
            if value not in known:
                raise ConfigError(f"metric {self.name}: {option}={value!r} is unknown; use {', '.join(str(k or 'null') for k in known)}")
        if self.of == "text" and self._cast != "str" and self.invalid is None:
            raise ConfigError(
                f"metric {self.name}: cast={self.cast} needs invalid: a {self.cast} no reference has, put where there is no answer"
            )
        if self.resamples == 1 or self.resamples < 0:
            raise ConfigError(f"metric {self.name}: resamples={self.resamples} gives no interval; use 0 (none) or 100 and more")

    def ready(self) -> None:
        """Raises ConfigError when the library is not installed."""
        need("evaluate", f"metric {self.name}")

    def check_samples(self, n: int) -> None:
        """Raises ConfigError for more than one sample per document."""
        if n > 1:
            raise ConfigError(f"metric {self.name}: modules of evaluate take one answer per document, not {n}; ask for one sample")

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """The pair the module will see, with the value `sample_value` asks for.

        Raises:
            ConfigError: the module cannot be loaded, or cannot score this pair.
            DataError: the document's target cannot be cast.
        """
        answers = usable(responses)
        self.check_samples(len(answers))
        shown, answer = self._prediction(doc, answers[0]) if answers else (None, None)
        if not answers or (self.of == "choice" and answer is None):
            return sample(doc, [], None)
        invalid = answer is None
        prediction = answer if answer is not None else CASTS[self._cast]("" if self.invalid is None else self.invalid)
        golds = self._golds(doc, prediction, answers[0])
        pair = (prediction, golds if self.references == "all" else golds[0])
        value = float(not invalid and prediction == golds[0]) if self.sample_value == "equal" else self._alone(doc, pair)
        plain = sample(doc, responses, value, prediction=shown, invalid=invalid)
        return PairScore(**{name: getattr(plain, name) for name in SampleScore.__dataclass_fields__}, pair=pair)

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """The module's score over all measured pairs, by language or group, with the macro mean."""
        measured = [s for s in scores if s.value is not None]
        result = self._run(measured) if measured else 0.0
        if isinstance(result, list):
            own = iter(result)
            scores = [s if s.value is None else replace(s, value=next(own)) for s in scores]
            return mean_summary(self.name, scores, self._signature(), higher_is_better=self.higher_is_better, bounds=None)
        return with_groups(self._corpus(scores), scores, self._corpus)

    @property
    def _cast(self) -> str:
        return self.cast or ("int" if self.of == "choice" else "str")

    def _prediction(self, doc: Doc, response: Response) -> tuple[Any, Any]:
        """(as people read it, as the module gets it); None in second place when there is no answer."""
        shown: Any
        if self.of == "choice":
            shown = choose(doc, response, self.normalize)
        else:
            text = response.text or ""
            shown = text if self.extract is None else self.extract(text)
        try:
            return shown, None if shown is None else CASTS[self._cast](shown)
        except ValueError:
            return None, None

    def _golds(self, doc: Doc, prediction: Any, response: Response) -> list[Any]:
        """References after casting; of several right choices the chosen one comes first."""
        golds: Sequence[Any] = gold_texts(doc)
        if self.of == "choice":
            golds = sorted(right_indices(doc, len(response.loglikelihoods or ())), key=lambda i: CASTS[self._cast](i) != prediction)
        try:
            return [CASTS[self._cast](gold) for gold in golds]
        except ValueError as error:
            raise DataError(f"document {doc.id}: target {doc.target!r} is no {self._cast}; set cast: str or fix to_doc") from error

    def _alone(self, doc: Doc, pair: tuple[Any, Any]) -> float:
        value = self._compute([pair])
        number = value[0] if isinstance(value, list) else value
        if math.isnan(number):
            raise ConfigError(f"metric {self.name}: module {self.path} cannot score document {doc.id} alone (nan); set sample_value: equal")
        return number

    def _run(self, measured: Sequence[SampleScore]) -> float | list[float]:
        pairs = [s.pair for s in measured if isinstance(s, PairScore) and s.pair is not None]
        if len(pairs) != len(measured):
            raise DataError(f"metric {self.name}: {len(measured) - len(pairs)} samples carry no pair; score them with this metric first")
        return self._compute(pairs)

    def _compute(self, pairs: Sequence[tuple[Any, Any]]) -> float | list[float]:
        """The module's score of these pairs, scaled: one number, or one a pair."""
        try:
            result = self._module.compute(predictions=[p for p, _ in pairs], references=[r for _, r in pairs], **dict(self.compute))
        except (ValueError, TypeError, ArithmeticError, LookupError) as error:
            raise ConfigError(
                f"metric {self.name}: module {self.path} refuses {len(pairs)} pairs, first {pairs[0]!r}: {_line(error)};"
                " see its inputs and set cast, references, compute (or sample_value: equal)"
            ) from error
        keys = sorted(result)
        if self.key is None and len(keys) != 1:
            raise ConfigError(f"metric {self.name}: module {self.path} returns {', '.join(keys)}; set key to one of them")
        key = self.key or keys[0]
        if key not in result:
            raise ConfigError(f"metric {self.name}: module {self.path} has no {key!r}, only {', '.join(keys)}{did_you_mean(key, keys)}")
        score = result[key].tolist() if hasattr(result[key], "tolist") else result[key]
        if isinstance(score, list):
            if len(score) != len(pairs):
                raise ConfigError(f"metric {self.name}: {key} holds {len(score)} numbers for {len(pairs)} documents; choose another key")
            return [float(s) * self.scale for s in score]
        return float(score) * self.scale

    def _corpus(self, scores: Sequence[SampleScore]) -> Summary:
        measured = [s for s in scores if s.value is not None]
        value = self._run(measured) if measured else math.nan
        units: dict[object, list[SampleScore]] = {}
        for label, score in zip(cluster_labels(measured) or range(len(measured)), measured, strict=True):
            units.setdefault(label, []).append(score)
        few = stats.too_few([units])
        stderr, ci = self._bootstrap(list(units.values())) if self.resamples and not few else (None, None)
        if ci is not None and not isinstance(value, list):
            ci = stats.holding(ci, value)
        return Summary(
            metric=self.name,
            value=None if isinstance(value, list) or math.isnan(value) else value,
            stderr=stderr,
            ci=ci,
            n=len(measured),
            n_not_measured=len(scores) - len(measured),
            n_invalid=count_invalid(measured),
            signature=str(
                Signature.of(self.name, *self._signature(), f"ci:bootstrap-{self.resamples}" if self.resamples else "ci:none", VERSION)
            ),
            higher_is_better=self.higher_is_better,
            no_interval=TOO_FEW if self.resamples and measured and few else "",
        )

    def _bootstrap(self, pool: Sequence[Sequence[SampleScore]]) -> tuple[float | None, stats.Interval | None]:
        """Resampled units: documents, or whole clusters where documents share one; nothing when a resample has no score."""
        rng = random.Random(self.seed)
        drawn = [self._run([s for unit in rng.choices(pool, k=len(pool)) for s in unit]) for _ in range(self.resamples)]
        numbers = [d for d in drawn if not isinstance(d, list) and not math.isnan(d)]
        if len(numbers) < len(drawn):
            return None, None
        return statistics.stdev(numbers), stats.bootstrap_interval(numbers)[1]

    @cached_property
    def _module(self) -> Any:
        try:
            import evaluate
        except ImportError as error:
            raise ConfigError(missing("evaluate", f"metric {self.name}")) from error
        try:
            return evaluate.load(self.path, self.config_name, revision=self.revision, keep_in_memory=True)
        except ImportError as error:
            raise ConfigError(f"metric {self.name}: module {self.path} needs a package: {_line(error)}") from error
        except (OSError, ValueError) as error:
            if Path(self.path).suffix == ".py" or os.sep in self.path:
                advice = "give path: a .py file, or a folder that holds a .py file of the same name"
            else:
                advice = "no such module, or no network: check the name, or give path: a local folder holding it"
            raise ConfigError(f"metric {self.name}: cannot load module {self.path!r} ({_line(error)}); {advice}") from error

    def _signature(self) -> list[str]:
        """Module (with a hash of its code when it is local), what it was asked, version of the library."""
        script = Path(self.path) if self.path.endswith(".py") else Path(self.path, f"{Path(self.path).name}.py")
        pin = hashlib.sha256(script.read_bytes()).hexdigest()[:8] if script.is_file() else self.revision
        asked = {"config": self.config_name, "key": self.key, **self.compute, "scale": None if self.scale == 1.0 else self.scale}
        return [
            f"module:{script.stem}{f'@{pin}' if pin else ''}",
            *(f"{name}:{value}" for name, value in asked.items() if value is not None),
            f"of:{self.of}",
            *([f"norm:{self.normalize}"] if self.normalize else []),
            f"refs:{self.references}",
            f"evaluate:{version('evaluate')}",
        ]


def _line(error: Exception) -> str:
    """An error's message on one line of bearable length."""
    return " ".join(str(error).split())[:200]
