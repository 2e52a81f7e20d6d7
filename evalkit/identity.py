"""What makes a run another run: plain JSON of everything that can change an answer or a score, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any


def identity_of(value: Any) -> Any:
    """Plain JSON that is equal exactly when two values measure alike.

    A value with a method `identity` says it itself. A dataclass is its class and those fields that are not at their
    default, so that a new option with a default leaves every finished run valid; fields named in the class's
    `NOT_IDENTITY` (name -> the reason) stay out. Any other object is its class and its public attributes.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): identity_of(inner) for key, inner in value.items()}
    if isinstance(value, (Sequence, set, frozenset)):
        return [identity_of(inner) for inner in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return f"{value.__module__}.{value.__qualname__}"
    if (own := getattr(value, "identity", None)) is not None:
        return own()
    return {"class": f"{type(value).__module__}.{type(value).__qualname__}", **of_attributes(value)}


def of_attributes(value: Any) -> dict[str, Any]:
    """The attributes of a value as `identity_of` takes them, without its class; for a method `identity` to build on."""
    left_out = getattr(type(value), "NOT_IDENTITY", {})
    if is_dataclass(value):
        held = {f.name: getattr(value, f.name) for f in fields(value) if not _at_default(f, getattr(value, f.name))}
    else:
        held = {name: inner for name, inner in getattr(value, "__dict__", {}).items() if not name.startswith("_")}
    return {name: identity_of(inner) for name, inner in held.items() if name not in left_out}


def _at_default(field: Any, value: Any) -> bool:
    if field.default is not MISSING:
        return bool(type(field.default) is type(value) and field.default == value)
    return bool(field.default_factory is not MISSING and field.default_factory() == value)


def short_hash(identity: Any) -> str:
    """Ten hexadecimal digits; the order of keys does not matter."""
    canonical = json.dumps(identity, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def differences(old: Any, new: Any, at: str = "") -> list[str]:
    """`tasks.mmlu.num_fewshot: 5, now 0` for every leaf in which two identities differ; `absent` where one lacks it."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = dict.fromkeys([*old, *new])
        return [
            line for key in keys for line in differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{at}.{key}" if at else str(key))
        ]
    if old == new:
        return []
    return [f"{at}: {_said(old)}, now {_said(new)}"]


_ABSENT = object()


def _said(value: Any) -> str:
    if value is _ABSENT:
        return "not set"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"
