"""Whether classes of a task can do what will be asked of them: told before any model is asked, not when the answers are there."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from evalkit.errors import ConfigError
from evalkit.metrics.base import Metric
from evalkit.types import Doc, SampleScore


def check_methods(where: str, thing: object, protocol: type, methods: dict[str, tuple[str, ...]]) -> None:
    """See that an object has methods that can be called as a run calls them.

    Args:
        where: the setting that made the object, as an error names it.
        protocol: what the object must be like; a method that is only inherited from it is none.
        methods: names of arguments, all by position, by the method's name.

    Raises:
        ConfigError: names the class, the method and its arguments.
    """
    if isinstance(thing, dict):
        raise ConfigError(f"{where} is no {protocol.__name__}: {thing!r:.80}; name its class with _target_")
    name = f"the class {thing.__name__} itself" if isinstance(thing, type) else type(thing).__name__
    for method, arguments in methods.items():
        wanted = f"{method}({', '.join(arguments)})"
        found = getattr(thing, method, None)
        inherited = getattr(type(thing), method, None) is getattr(protocol, method)
        if not callable(found) or isinstance(thing, type) or inherited:
            need = ", ".join(f"{one}({', '.join(of)})" for one, of in methods.items())
            raise ConfigError(f"{where}: {name} has no {wanted}; a {protocol.__name__} has {need}")
        try:
            inspect.signature(found).bind(*arguments)
        except TypeError as error:
            raise ConfigError(f"{where}: {name}.{method} cannot be called as {wanted}: {error}") from error
        except ValueError:
            continue  # written in C: it does not say what it takes


def check_metric(where: str, metric: Metric) -> None:
    """Raises ConfigError when a metric lacks a name, a direction, `score` or `summarize`."""
    check_methods(where, metric, Metric, {"score": ("doc", "responses"), "summarize": ("scores",)})
    name, higher = getattr(metric, "name", None), getattr(metric, "higher_is_better", None)
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{where}: {type(metric).__name__} has name={name!r}; a metric has a name, which tables print")
    if not isinstance(higher, bool):
        raise ConfigError(f"{where}: {type(metric).__name__} has higher_is_better={higher!r}; use true or false")


def check_without_answer(metric: Metric, doc: Doc) -> None:
    """Try a metric on a document that has no answer, of which it must say *not measured*.

    Any run may meet one (a request that failed), so a metric that cannot take it would lose the scores of all others.

    Raises:
        ConfigError: it fails, gives something else than a SampleScore, or a value.
    """
    name = f"metric {metric.name} ({type(metric).__name__})"
    fits = "give a SampleScore with value None where responses are empty"
    try:
        given: object = metric.score(doc, ())
    except Exception as error:
        raise ConfigError(f"{name}: score() fails on a document without an answer ({type(error).__name__}: {error}); {fits}") from error
    if not isinstance(given, SampleScore):
        raise ConfigError(f"{name}: score() gives {type(given).__name__} {given!r:.60}; {fits} (evalkit.metrics.base.sample makes one)")
    if given.value is not None:
        raise ConfigError(f"{name}: score() gives {given.value!r} to a document without an answer, which is not measured; {fits}")


def check_scores(metric: Metric, scores: Sequence[object], docs: Sequence[Doc]) -> None:
    """Raises ConfigError unless a metric gave one SampleScore per document; the answers are kept, so `evalkit score` can repeat it."""
    name = f"metric {metric.name} ({type(metric).__name__})"
    again = "the answers are saved: put it right and run the same command again"
    if len(scores) != len(docs):
        raise ConfigError(f"{name}: score_all() gives {len(scores)} scores for {len(docs)} documents; {again}")
    for doc, given in zip(docs, scores, strict=True):
        if not isinstance(given, SampleScore):
            raise ConfigError(f"{name}: score() gives {type(given).__name__} {given!r:.60} for document {doc.id}, no SampleScore; {again}")
