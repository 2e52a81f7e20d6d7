"""report.json keeps to its published schema."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from evalkit.report import build
from evalkit.report.json_report import to_json
from evalkit.store import load_run

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "report.schema.json").read_text(encoding="utf-8"))


def test_the_schema_is_kept(saved_runs: Any, make: SimpleNamespace) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    runs = [load_run(saved_runs(name, {"hellaswag": [1.0, 0.0, None]}, column=column)) for name, column in (("x", "Alpha-7B"), ("y", None))]
    results = [run.result for run in runs]
    spoken = make.run(make.languages())
    for shown, saved in ((results, runs), ([], []), ([spoken], [])):
        report = build(shown, [make.card], saved)
        payload = json.loads(to_json(report, shown, [make.card]))
        jsonschema.validate(payload, SCHEMA)
    payload = json.loads(to_json(build(results, [make.card], runs), results, [make.card]))
    assert {table["name"] for table in payload["tables"]} == {"comparison", "leaderboard", "ranks", "measures"}
    assert payload["runs"][0]["card_columns"] == {"tiny": ["Alpha-7B"]} and payload["scores"][0]["value"] == 0.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**payload, "schema": 1}, SCHEMA)
