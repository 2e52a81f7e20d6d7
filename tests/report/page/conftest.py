"""A run with every kind of sample, written as a run directory holds it, and a real browser."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.results import RunResult, TaskResult
from evalkit.store.scores import to_json
from evalkit.types import Summary

Maker = Callable[..., RunResult]


def choice(doc: int, right: bool, **more: Any) -> dict[str, Any]:
    context = "Question: which colour has the sky at noon?\nAnswer:"
    score: dict[str, Any] = {"value": float(right), "prediction": 0 if right else 1, "flags": []}
    answer = {"status": "ok", "loglikelihoods": [-1.25, -2.5], "greedy": [right, False], "context_tokens": 12, "output_tokens": 2}
    return {
        "task": "sky",
        "doc": f"test/{doc}",
        "row": doc,
        "pairs": [[context, " blue"], [context, " plaid"]],
        "target": 0,
        "responses": [answer],
        "scores": {"acc": score},
        **more,
    }


def answer(
    doc: str, language: str, prompt: Any, text: str, value: float | None, flags: tuple[str, ...] = (), status: str = "ok"
) -> dict[str, Any]:
    score = {"value": value, "prediction": None if "invalid" in flags else text, "flags": list(flags)}
    given = [{"status": status, "text": text, "context_tokens": 30, "output_tokens": 5}] if value is not None else []
    return {
        "task": "speech",
        "doc": doc,
        "row": 0,
        "language": language,
        "prompt": prompt,
        "target": "ok",
        "responses": given,
        "scores": {"em": score},
    }


SPEECH = [
    answer("hi/0", "hi", [{"role": "user", "content": "नदी के पार एक पुराना क़िला है।"}], "क्षत्रिय ज्ञान", 1.0),
    answer("ta/0", "ta", "ஆற்றின் குறுக்கே ஒரு பழைய கோட்டை", "கோட்டை", 0.5),
    answer("ur/0", "ur", "دریا کے پار ایک پرانا قلعہ ہے۔", "", 0.0, ("empty",), "empty"),
    answer("hi/1", "hi", "<script>document.title='broken'</script></script><b>&amp;", "a 😀 b", 0.0, ("invalid",)),
    answer("hi/2", "hi", "lost", "", None, ("error",)),
    answer("ta/1", "ta", "cut", "never ends", 0.0, ("length",), "length"),
]


def summary(metric: str, value: float, n: int) -> Summary:
    return Summary(metric=metric, value=value, stderr=0.1, ci=(max(0.0, value - 0.2), min(1.0, value + 0.2)), n=n, signature=metric)


@pytest.fixture
def make_run(tmp_path: Path) -> Maker:
    """`make_run("name", right=[True, False, …])`: a run of two tasks in its own folder."""

    def make(name: str, right: list[bool], samples: list[dict[str, Any]] | None = None) -> RunResult:
        lines = samples if samples is not None else [*(choice(i, r) for i, r in enumerate(right)), *SPEECH]
        sky = TaskResult("sky", "acc", 0, 1, {"acc": summary("acc", sum(right) / len(right), len(right))}, len(right), len(right))
        speech = TaskResult("speech", "em", 0, 1, {"em": summary("em", 0.3, 5)}, 6, 6)
        folder = tmp_path / name
        folder.mkdir()
        run = RunResult(name, {"sky": sky, "speech": speech}, path=folder)
        (folder / "scores.json").write_text(to_json(run), encoding="utf-8")
        (folder / "samples.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        return run

    return make


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, driven for real. Skipped where there is none, unless EVALKIT_TEST_BROWSER=1 says that there must be one."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver) and os.environ.get("EVALKIT_TEST_BROWSER") != "1":
        pytest.skip("no chromium and chromedriver on this machine")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium or "chromium"
    flags = ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-quic", "no-first-run")
    for flag in (*flags, "disable-background-networking", "disable-component-update", "disable-sync", "window-size=1400,1000"):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('browser')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver or "chromedriver"))
    yield started
    started.quit()
