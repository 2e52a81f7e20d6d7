"""Runs the real hub code against the fake hub and prints what came of each case as JSON.

Its own process, because the hub's libraries read HF_ENDPOINT when they are first imported.
Usage: hub_driver.py CACHE_FOLDER
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from fake_hub import FakeHub, Repo, serve

if TYPE_CHECKING:
    from evalkit.data import DataSpec

NEW, OLD = "a" * 40, "b" * 40
README = b"""---
configs:
- config_name: main
  data_files:
  - {split: test, path: main/test-*.parquet}
  - {split: train, path: main/train-*.parquet}
---
"""


def parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def tables(mark: str) -> dict[str, bytes]:
    test = [{"question": f"{mark} {i}", "choices": ["x", "y"], "answer": i} for i in range(3)]
    return {
        "README.md": README,
        "main/test-00000-of-00001.parquet": parquet(test),
        "main/train-00000-of-00001.parquet": parquet(test[:1]),
    }


def raw(language: str) -> bytes:
    return json.dumps({"canary": "c", "examples": [{"source": f"{language} {i}", "target": "t"} for i in range(2)]}).encode()


SQUAD = {
    "version": 1,
    "data": [
        {
            "title": "T",
            "paragraphs": [
                {"context": "c1", "qas": [{"id": 1, "question": "q1", "answers": [{"text": "a", "answer_start": 0}]}]},
                {"context": "c2", "qas": [{"id": 2, "question": "q2", "answers": []}, {"id": 3, "question": "q3", "answers": []}]},
            ],
        }
    ],
}


def odd_files() -> dict[str, bytes]:
    """The layouts that data sets with loading scripts have below them."""
    rows = [{"LABEL": "Positive", "INDIC REVIEW": "क"}, {"LABEL": None, "INDIC REVIEW": "ख"}]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return {
        "data/test/hi.json": lines.encode(),
        "data/test/ta.json": json.dumps(rows).encode(),
        "data/test/bn.json": json.dumps({"test": rows}).encode(),
        "data/test/te.json": lines.splitlines()[0].encode(),
        "data/test/two.json": json.dumps({"test": rows, "train": rows}).encode(),
        "data/indicqa.hi.json": json.dumps(SQUAD).encode(),
        "data/hi.tsv": 'english\tsentence1\tsentence2\tlabel\nHe said "no\tक "ख\tग\t1\n'.encode(),
        "data/bn.tsv": "E\tक\tख\t0\n".encode(),
        "data/ta.tsv": "E\tक\tख\n".encode(),
        "data/rows.parquet": parquet([{"eng_Latn": "a", "hin_Deva": "क"}]),
    }


def make_hub() -> FakeHub:
    both = {NEW: tables("new"), OLD: tables("old")}
    files = {f"flores_{code}_en_test.json": raw(code) for code in ("hi", "ta")}
    return FakeHub(
        {
            "org/tables": Repo(both, NEW),
            "org/raw": Repo({NEW: files}, NEW),
            "org/odd": Repo({NEW: odd_files()}, NEW),
            "org/gated": Repo(both, NEW, gate=403),
            "org/locked": Repo(both, NEW, gate=401),
        }
    )


def main(cache: str) -> None:
    with serve(make_hub()) as hub:
        os.environ.update(HF_ENDPOINT=hub.url, HF_HOME=cache, HF_HUB_DISABLE_TELEMETRY="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_CACHE", "HF_HUB_CACHE", "HF_TOKEN", "http_proxy", "HTTP_PROXY"):
            os.environ.pop(name, None)
        print(json.dumps(run(hub)))


def spec(path: str, **more: Any) -> DataSpec:
    """The hub's libraries are not imported yet when this module is."""
    from evalkit.data import DataSpec

    return DataSpec(**{"path": path, "split": "test", "to_doc": "m.f", "name": "main", **more})


def run(hub: FakeHub) -> dict[str, Any]:
    from evalkit.data import AutoSource, HubSource
    from evalkit.network import reachable

    results: dict[str, Any] = {}

    def case(name: str, read: Callable[[], Any]) -> None:
        before, start = len(hub.requests), time.monotonic()
        try:
            got = read()
            results[name] = {"rows": got.rows, "where": got.where, "revision": got.revision, "notes": got.notes}
        except Exception as error:
            results[name] = {"error": type(error).__name__, "message": str(error)}
        results[name].update(requests=len(hub.requests) - before, seconds=time.monotonic() - start)

    source = HubSource()
    flores = spec("org/raw", name=None, revision=NEW, files={"test": "flores_{language}_en_test.json"}, records="examples")
    wheel = {"package": "no_such_package", "splits": {"test": "x"}}
    case("pinned", lambda: source.rows("t", spec("org/tables", revision=OLD), "test"))
    case("pinned_again", lambda: source.rows("t", spec("org/tables", revision=OLD), "test"))
    case("branch", lambda: source.rows("t", spec("org/tables"), "test"))
    case("missing_split", lambda: source.rows("t", spec("org/tables", revision=NEW), "validation"))
    case("missing_split_cached", lambda: source.rows("t", spec("org/tables", revision=OLD), "validation"))
    case("missing_config", lambda: source.rows("t", spec("org/tables", revision=NEW, name="other"), "test"))
    case("missing_revision", lambda: source.rows("t", spec("org/tables", revision="c" * 40), "test"))
    case("missing_data_set", lambda: source.rows("t", spec("org/nothing", revision=NEW), "test"))
    case("gated", lambda: source.rows("t", spec("org/gated", revision=NEW), "test"))
    case("locked", lambda: source.rows("t", spec("org/locked"), "test"))
    case("raw", lambda: source.rows("t", flores, "test", "hi"))
    case("raw_missing_language", lambda: source.rows("t", flores, "test", "xx"))
    case("raw_wrong_key", lambda: source.rows("t", spec("org/raw", revision=NEW, files=flores.files, records="rows"), "test", "hi"))
    odd = {"revision": NEW, "name": None}
    for language in ("hi", "ta", "bn", "te", "two"):
        json_file = spec("org/odd", files={"test": "data/test/{language}.json"}, **odd)
        case(f"json_{language}", partial(source.rows, "t", json_file, "test", language))
    columns = ("english", "sentence1", "sentence2", "label")
    for language in ("hi", "bn", "ta"):
        table = spec("org/odd", files={"test": "data/{language}.tsv"}, columns=columns, **odd)
        case(f"tsv_{language}", partial(source.rows, "t", table, "test", language))
    squad = spec("org/odd", files={"test": "data/indicqa.{language}.json"}, records="data.paragraphs.qas", **odd)
    case("squad", lambda: source.rows("t", squad, "test", "hi"))
    nowhere = spec("org/odd", files={"test": "data/indicqa.{language}.json"}, records="data.articles.qas", **odd)
    case("squad_wrong_path", lambda: source.rows("t", nowhere, "test", "hi"))
    case("parquet", lambda: source.rows("t", spec("org/odd", files={"test": "data/rows.parquet"}, **odd), "test"))
    case("private", lambda: source.rows("t", spec("Bench", private="is not public: give bench=DIR"), "test"))
    case("auto_online", lambda: AutoSource().rows("t", spec("org/tables", revision=NEW), "test"))
    results["reachable"] = reachable()

    hub_url = os.environ["HF_ENDPOINT"]
    os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"  # the probe reads it at each call: the hub has gone
    case("auto_cached", lambda: AutoSource().rows("t", spec("org/tables", revision=OLD), "test"))
    case("auto_raw_cached", lambda: AutoSource().rows("t", flores, "test", "hi"))
    case("auto_nothing", lambda: AutoSource().rows("t", flores, "test", "ta"))
    case("auto_wheel_missing", lambda: AutoSource().rows("t", spec("org/gated", revision=NEW, wheel=wheel), "test"))
    results["unreachable"] = reachable()
    os.environ["HF_ENDPOINT"] = hub_url
    return results


def closed_port(cache: str) -> None:
    """No network at all: the hub's libraries themselves meet a closed port."""
    os.environ.update(HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=cache, HF_HUB_DISABLE_TELEMETRY="1")
    os.environ.pop("HF_HUB_OFFLINE", None)
    from evalkit.data import HubSource

    found: dict[str, dict[str, Any]] = {}
    for name, more in {"pinned": {"revision": NEW}, "branch": {}, "cached_elsewhere": {"path": "org/tables", "revision": "d" * 40}}.items():
        start = time.monotonic()
        try:
            HubSource().rows("t", spec(**{"path": "org/new", **more}), "test")
            found[name] = {"error": None}
        except Exception as error:
            found[name] = {"error": type(error).__name__, "message": str(error), "seconds": time.monotonic() - start}
    print(json.dumps(found))


if __name__ == "__main__":
    closed_port(sys.argv[2]) if sys.argv[1] == "--closed" else main(sys.argv[1])
