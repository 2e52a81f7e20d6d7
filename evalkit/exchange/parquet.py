"""Every verdict of a run as a Parquet file: one row per document and metric, with what was asked and answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, FileError
from evalkit.store import SavedRun


def write_parquet(run: SavedRun, file: Path) -> int:
    """Write the file; returns the number of rows.

    Raises:
        ConfigError: pyarrow is not installed, or the run kept no samples.
        FileError: the file cannot be written.
        DataError: damaged samples.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ConfigError("to=parquet needs pyarrow, which is not installed here; pip install pyarrow") from None
    rows = list(_rows(run))
    if not rows:
        raise ConfigError(f"{run.path} kept no samples, so there is no row to write; report.csv has its scores")
    text, real = pyarrow.string(), pyarrow.float64()
    types = {"value": real, "flags": pyarrow.list_(text), "answers": pyarrow.list_(text), "loglikelihoods": pyarrow.list_(real)}
    schema = pyarrow.schema([(name, types.get(name, text)) for name in rows[0]])
    table = pyarrow.Table.from_pylist(rows, schema).replace_schema_metadata({"evalkit": json.dumps(run.result.manifest.get("evalkit"))})
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(table, file)
    except OSError as error:
        raise FileError(f"{file} cannot be written ({error.strerror or error}); choose another place with out=FILE") from error
    return len(rows)


def _rows(run: SavedRun) -> Iterator[dict[str, Any]]:
    """None where nothing was measured; target, prompt and prediction are JSON where they are no text."""
    for sample in run.samples():
        responses = sample.get("responses") or []
        asked = sample.get("prompt") if "prompt" in sample else sample.get("pairs")
        likely = next((response["loglikelihoods"] for response in responses if response.get("loglikelihoods")), None)
        for metric, score in sample["scores"].items():
            yield {
                "model": run.result.model,
                "task": sample["task"],
                "doc": sample["doc"],
                "language": sample.get("language"),
                "group": sample.get("group"),
                "metric": metric,
                "value": score.get("value"),
                "prediction": _text(score.get("prediction")),
                "flags": list(score.get("flags") or ()),
                "target": _text(sample.get("target")),
                "prompt": _text(asked),
                "answers": [str(response.get("text") or "") for response in responses if "text" in response],
                "loglikelihoods": likely,
            }


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
