"""A run in the forms of other tools: inspect_ai's logs, Parquet, the hub's task ids, and a push to a hub that answers like the real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from evalkit.cli import main
from evalkit.exchange.every_eval_ever import log_of
from evalkit.extras import install
from evalkit.store import load_run

DATA = {"path": "owner/set", "revision": "a" * 40, "split": "test"}
EVAL = "name: Set\ntasks:\n  - {id: set_test, split: test}\n  - {id: set_other, split: other}\n"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as `eval.yaml` and one commit need."""

    asked: list[tuple[str, bytes]]
    tasks: str | None
    refuses: int

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._file(b"")

    def do_GET(self) -> None:
        self._file((self.tasks or "").encode())

    def _file(self, body: bytes) -> None:
        if "eval.yaml" not in self.path or self.tasks is None:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        size = str(len(self.tasks.encode()))
        self._send(
            200, body, {"ETag": '"e1"', "X-Repo-Commit": "b" * 40, "X-Linked-Size": size} | ({} if body else {"Content-Length": size})
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.path, body))
        if self.refuses:
            return self._send(self.refuses, b'{"error": "no"}', {})
        if "/preupload/" in self.path:
            files = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in json.loads(body)["files"]]
            return self._send(200, json.dumps({"files": files}).encode(), {})
        url = f"http://{self.headers['Host']}/owner/model"
        told = {"success": True, "commitOid": "c" * 40, "commitUrl": f"{url}/commit/{'c' * 40}"}
        told |= {"pullRequestUrl": f"{url}/discussions/1"} if "create_pr=1" in self.path else {}
        self._send(200, json.dumps(told).encode(), {})

    def _send(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Hub]]:
    from huggingface_hub import constants

    class Served(Hub):
        asked: list[tuple[str, bytes]] = []  # noqa: RUF012 (of one test)
        tasks: str | None = EVAL
        refuses = 0

    server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setenv("HF_TOKEN", "hf_invented")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield Served
    server.shutdown()
    server.server_close()


@pytest.fixture
def part(saved_runs: Any) -> Path:
    """Two of eight documents of one task, all of another that no data set of the hub is behind."""
    folder: Path = saved_runs("r", {"a": [1.0, 0.0], "b": [1.0, 1.0]}, result={"n_total": 8})
    config = {"model": {"name": "r"}, "tasks": {"a": {"data": DATA}, "b": {"data": {}}}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_the_hub_s_own_task_ids_or_a_word(part: Path, hub: type[Hub], capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    assert main(["export", str(part), "to=eval-results"]) == 0
    said = capsys.readouterr()
    [entry] = yaml.safe_load(said.out)
    assert entry["dataset"]["task_id"] == "set_test" and entry["notes"].startswith("a part of the benchmark, 2 of 8 documents")
    assert "warning: a: a part of the benchmark, 2 of 8 documents; its entry says so" in said.err
    assert "left out: b: the run does not say which data set" in said.err and "b: a part" not in said.err


def test_a_data_set_without_tasks_is_left_out(part: Path, hub: type[Hub], capsys: pytest.CaptureFixture[str]) -> None:
    hub.tasks = None
    assert main(["export", str(part), "to=eval-results"]) == 0
    assert "left out: a: the data set owner/set has no eval.yaml on the hub" in capsys.readouterr().err


def test_without_the_hub_each_is_left_out_in_a_word(
    part: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # whoever imported it first: a network that is not there is tried many times
    assert main(["export", str(part), "to=eval-results"]) == 0
    said = capsys.readouterr()
    assert "left out: a: eval.yaml of its data set, which names the hub's task, is not in the cache" in said.err and said.out == "[]\n"


def test_push_is_a_pull_request(part: Path, hub: type[Hub], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", str(part), "repo=owner/model"]) == 0
    said = capsys.readouterr()
    assert said.out.endswith("/owner/model/discussions/1\n") and "warning: a: a part" in said.err
    path, body = hub.asked[-1]
    files = [json.loads(line)["value"]["path"] for line in body.decode().splitlines() if json.loads(line)["key"] == "file"]
    assert "/api/models/owner/model/commit/main" in path and "create_pr=1" in path
    assert files == ["evalkit/r/report.md", "evalkit/r/scores.json", ".eval_results/evalkit.yaml"]
    assert main(["push", str(part), "repo=owner/model", "create_pr=false"]) == 0 and "create_pr" not in hub.asked[-1][0]


def test_push_says_what_is_wrong(part: Path, hub: type[Hub], saved_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    hub.refuses = 403
    assert main(["push", str(part), "repo=owner/model"]) == 3 and "hf auth login" in capsys.readouterr().err
    assert main(["push", str(part), "repo=model"]) == 2 and main(["push", str(part), "repo=a/b", "create_pr=no"]) == 2
    samples = saved_runs("s", {"a": [1.0]}, result={"sample_rows": True})
    assert main(["push", str(samples), "repo=owner/model"]) == 2 and "scores of sample rows (a)" in capsys.readouterr().err


def test_logs_of_inspect(part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their shape; inspect_ai itself reads them where it is installed."""
    assert main(["export", str(part), "to=inspect", f"out={tmp_path / 'logs'}"]) == 0
    assert "a part of the benchmark, 2 of 8" in capsys.readouterr().err
    log = json.loads((tmp_path / "logs/a.json").read_text(encoding="utf-8"))
    assert {"version", "status", "eval", "plan", "results", "stats", "samples"} <= log.keys()
    assert log["eval"]["config"] == {"limit": 2} and log["eval"]["metadata"]["part"] == "2 of 8 documents"
    assert log["results"]["scores"][0]["metrics"]["acc"]["value"] == 0.5
    assert [sample["scores"]["acc"]["value"] for sample in log["samples"]] == [1.0, 0.0]
    try:
        from inspect_ai.log import read_eval_log
    except ModuleNotFoundError:
        return
    assert read_eval_log(str(tmp_path / "logs/a.json")).results.scores[0].metrics["acc"].value == 0.5


def test_logs_of_every_eval_ever(part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The library's own model and schema take them, where it is installed."""
    pytest.importorskip("every_eval_ever", reason="it needs Python 3.12 or newer")
    out = tmp_path / "out"
    assert main(["export", str(part), "to=every-eval-ever", f"out={out}", "organization=Ours", "relationship=third_party"]) == 0
    said = capsys.readouterr().err
    assert "left out: b: " in said and "a part of the benchmark, 2 of 8" in said and "1 log" in said
    [file] = out.rglob("*.json")
    assert file.relative_to(out).parts[:4] == ("data", "a", "unknown", "r")
    from every_eval_ever.eval_types import EvaluationLog
    from every_eval_ever.schema import schema_json
    from jsonschema import validate

    log = json.loads(file.read_text(encoding="utf-8"))
    validate(log, schema_json())
    [result] = EvaluationLog.model_validate(log).evaluation_results
    assert result.score_details.score == 0.5 and result.score_details.details["part"] == "2 of 8 documents"
    assert log["source_metadata"]["source_organization_name"] == "Ours"


def test_what_a_log_of_every_eval_ever_says(part: Path) -> None:
    """As plain JSON, before the library checks it."""
    run = load_run(part)
    log = log_of(run, "a", run.result.tasks["a"], DATA)
    assert log["model_info"]["id"] == "unknown/r" and log["source_metadata"]["source_organization_name"] == "not stated"
    [result] = log["evaluation_results"]
    source = result["source_data"]
    assert (source["hf_repo"], source["hf_split"], source["samples_number"]) == ("owner/set", "test", 8)
    assert source["additional_details"]["revision"] == "a" * 40
    assert result["metric_config"]["metric_id"] == "acc" and result["metric_config"]["max_score"] == 1.0
    assert result["score_details"]["uncertainty"]["num_samples"] == 2
    assert all(isinstance(value, str) for value in source["additional_details"].values())


def test_without_the_library_or_with_an_old_python_one_line_says_so(
    part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["export", str(part), "to=every-eval-ever", f"out={tmp_path / 'out'}"]
    monkeypatch.setattr("evalkit.exchange.every_eval_ever.NEEDS_PYTHON", (3, 99))
    assert main(words) == 2
    assert "to=every-eval-ever needs Python 3.99 or newer" in capsys.readouterr().err
    monkeypatch.setattr("evalkit.exchange.every_eval_ever.NEEDS_PYTHON", (3, 11))
    monkeypatch.setattr("evalkit.extras.there", lambda module: False)
    assert main(words) == 2
    assert install("every-eval-ever") in capsys.readouterr().err
    assert main([*words, "relationship=thirdparty"]) == 2 and "did you mean third_party?" in capsys.readouterr().err
    assert main(["export", str(part), "to=inspect", "out=x", "organization=Ours"]) == 2
    assert not (tmp_path / "out").exists()


def test_parquet(part: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert main(["export", str(part), "to=parquet", f"out={tmp_path / 'new/r.parquet'}"]) == 0
    frame = pandas.read_parquet(tmp_path / "new/r.parquet")
    assert frame["value"].tolist() == [1.0, 0.0, 1.0, 1.0] and set(frame["task"]) == {"a", "b"}
    assert main(["export", str(part), "to=parquet"]) == 2
