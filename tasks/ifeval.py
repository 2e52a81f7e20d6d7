"""IFEval: prompts whose instructions a program can check (Zhou et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc


def to_doc(row: Mapping[str, Any]) -> Doc:
    """The target is the prompt's instructions, {id, kwargs} each.

    The hub gives every instruction every argument there is, null where it has none; null and other empty values go, as
    in the benchmark's own code, so that rows without them are the same documents.
    """
    ids, given = row["instruction_id_list"], row["kwargs"]
    if not ids or len(ids) != len(given):
        raise ValueError(f"{len(ids)} instruction ids but {len(given)} kwargs")
    kwargs = [{name: value for name, value in (arguments or {}).items() if value} for arguments in given]
    target = tuple({"id": name, "kwargs": arguments} for name, arguments in zip(ids, kwargs, strict=True))
    return Doc(id="", fields={"key": row["key"], "prompt": row["prompt"]}, target=target)
