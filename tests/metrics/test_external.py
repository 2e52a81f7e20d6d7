"""Metrics of the real `evaluate` library, from scripts on disk; nothing is downloaded."""

from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, DataError
from evalkit.metrics import Accuracy, EvaluateMetric, RegexExtract
from evalkit.types import Doc, Response, SampleScore

SCRIPT = """
import datasets
import evaluate


class {name}(evaluate.Metric):
    def _info(self):
        features = datasets.Features({{"predictions": {feature}, "references": {reference}}})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references, **options):
{body}
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied modules and locks go to the test's folder; no hub is asked."""
    monkeypatch.setattr("datasets.config.HF_MODULES_CACHE", tmp_path / "modules")
    monkeypatch.setattr("evaluate.config.HF_EVALUATE_OFFLINE", True)
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", tmp_path / "metrics")


def module(folder: Path, name: str, body: str, feature: str = "string", nested: bool = False) -> str:
    one = f'datasets.Value("{feature}")'
    text = SCRIPT.format(name=name.title(), feature=one, reference=f"datasets.Sequence({one})" if nested else one, body="        " + body)
    (folder / name).mkdir()
    (folder / name / f"{name}.py").write_text(text, encoding="utf-8")
    return str(folder / name)


def texts(metric: EvaluateMetric, pairs: list[tuple[str, Any]], **labels: Any) -> list[SampleScore]:
    return [metric.score(Doc(str(i), {}, target=gold, **labels), [Response("k", "ok", text=said)]) for i, (said, gold) in enumerate(pairs)]


HITS = 'return {"hits": sum(p == r for p, r in zip(predictions, references)) / len(references) * options.get("times", 1)}'


def test_a_corpus_metric_over_texts(tmp_path: Path) -> None:
    path = module(tmp_path, "hits", HITS)
    metric = EvaluateMetric(path, name="hits", compute={"times": 100}, scale=0.01, extract=RegexExtract(r"\d+"))
    scores = [
        *texts(metric, [("so 12", "12"), ("7", "8"), ("none", "5")]),
        metric.score(Doc("e", {}, target="1"), [Response("k", "error")]),
    ]
    assert [s.value for s in scores] == [1.0, 0.0, 0.0, None]
    assert [s.flags for s in scores] == [(), (), ("invalid",), ("error",)]
    got = metric.summarize(scores)
    assert (got.value, got.n, got.n_not_measured, got.n_invalid, got.ci) == (pytest.approx(1 / 3), 3, 1, 1, None)
    assert got.signature.startswith("hits|module:hits@") and "|times:100|scale:0.01|of:text|" in got.signature


def test_a_mean_over_documents_and_groups(tmp_path: Path) -> None:
    path = module(tmp_path, "lengths", 'return {"ratio": [len(p) / len(r) for p, r in zip(predictions, references)], "v": "1"}')
    metric = EvaluateMetric(path, name="ratio", key="ratio")
    scores = [*texts(metric, [("ab", "abcd"), ("abcd", "abcd")], language="hi"), *texts(metric, [("abcdef", "abcd")], language="ta")]
    got = metric.summarize(scores)
    assert got.value == pytest.approx(1.0)
    assert {k: g.value for k, g in got.groups.items()} == {"hi": 0.75, "ta": 1.5}
    assert got.macro == pytest.approx(1.125)
    assert got.ci is not None and got.ci[1] > 1.5 and "ci:t|" in got.signature


def test_chosen_indices_agree_with_accuracy(tmp_path: Path) -> None:
    path = module(tmp_path, "agree", HITS.replace("hits", "accuracy"), feature="int32")
    metric, ours = EvaluateMetric(path, name="agree", of="choice", sample_value="equal", resamples=20), Accuracy()
    docs = [Doc(str(i), {}, ("a", "b", "c"), target=target) for i, target in enumerate((0, 1, (1, 2), 0, 2))]
    answers = [
        [Response("k", "ok", loglikelihoods=lls)]
        for lls in ((-1.0, -2, -3), (-1.0, -2, -3), (-3.0, -2, -1), (-1.0, -1, -1), (-2.0, -1, -3))
    ]
    theirs = [metric.score(d, a) for d, a in zip(docs, answers, strict=True)]
    own = [ours.score(d, a) for d, a in zip(docs, answers, strict=True)]
    assert [(s.value, s.prediction) for s in theirs] == [(s.value, s.prediction) for s in own]
    got = metric.summarize(theirs)
    assert got.value == ours.summarize(own).value == 0.6
    assert got.stderr is not None and got.ci is not None and got.ci[0] < 0.6 < got.ci[1]
    assert got == metric.summarize(theirs)


def test_all_references(tmp_path: Path) -> None:
    path = module(tmp_path, "any", 'return {"any": sum(p in r for p, r in zip(predictions, references)) / len(references)}', nested=True)
    metric = EvaluateMetric(path, name="any", references="all")
    assert metric.summarize(texts(metric, [("b", ("a", "b")), ("c", ("a",))])).value == 0.5


def test_casting(tmp_path: Path) -> None:
    path = module(tmp_path, "near", 'return {"error": sum(abs(p - r) for p, r in zip(predictions, references))}', feature="float32")
    metric = EvaluateMetric(path, name="near", cast="float", invalid=-1, higher_is_better=False)
    scores = texts(metric, [("2.5", "2"), ("many", "3")])
    assert [s.flags for s in scores] == [(), ("invalid",)]
    got = metric.summarize(scores)
    assert got.value == pytest.approx(4.5) and not got.higher_is_better and got.n_invalid == 1
    with pytest.raises(DataError, match="target 'two' is no float"):
        texts(metric, [("1", "two")])
    with pytest.raises(ConfigError, match="needs invalid"):
        EvaluateMetric(path, name="near", cast="float")


def test_modules_that_cannot_be_used(tmp_path: Path) -> None:
    pairs = [("a", "a")]
    for path, says in (
        (str(tmp_path / "nowhere"), "a folder that holds a .py file of the same name"),
        ("no-such-metric-at-all", "or no network"),
    ):
        with pytest.raises(ConfigError, match=says) as caught:
            texts(EvaluateMetric(path, name="m"), pairs)
        assert "\n" not in str(caught.value)
    two = module(tmp_path, "two", 'return {"precision": 1.0, "recall": 0.5}')
    with pytest.raises(ConfigError, match="returns precision, recall; set key"):
        texts(EvaluateMetric(two, name="m"), pairs)
    with pytest.raises(ConfigError, match="only precision, recall; did you mean recall"):
        texts(EvaluateMetric(two, name="m", key="recal"), pairs)
    picky = module(tmp_path, "picky", 'raise ValueError("needs two\\nor more")')
    with pytest.raises(ConfigError, match=r"refuses 1 pairs, first .*needs two or more.*sample_value: equal"):
        texts(EvaluateMetric(picky, name="m"), pairs)
    lame = module(tmp_path, "lame", HITS)
    (tmp_path / "lame" / "lame.py").write_text("import a_package_nobody_has\n" + (tmp_path / "lame" / "lame.py").read_text())
    with pytest.raises(ConfigError, match=r"needs a package: .*a_package_nobody_has"):
        texts(EvaluateMetric(lame, name="m"), pairs)


def test_settings_are_checked() -> None:
    for option, value in (("of", "logits"), ("references", "some"), ("cast", "bool"), ("normalize", "tokens"), ("sample_value", "x")):
        with pytest.raises(ConfigError, match=f"{option}='{value}' is unknown; use"):
            EvaluateMetric("f1", name="m", **{option: value})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="resamples=1"):
        EvaluateMetric("f1", name="m", resamples=1)
