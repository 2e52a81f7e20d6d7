"""`evalkit ls`: what there is, read from the YAML files alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.config.explain import GROUPS, choices, described, load_yaml
from evalkit.errors import ConfigError, did_you_mean
from evalkit.paths import conf_dir


def ls(words: list[str]) -> int:
    """`evalkit ls tasks|models|suites|cards`: names with a line each, read from the YAML files alone."""
    from evalkit.config.compose import config_folder

    words, own = config_folder(words)
    what = words[0] if words else "tasks"
    if what not in GROUPS:
        raise ConfigError(f"evalkit ls {what}: unknown{did_you_mean(what, GROUPS)}; one of {', '.join(GROUPS)}")
    if len(words) > 1:
        raise ConfigError(f"evalkit ls {what} takes no further word ({words[1]})")
    folders = [conf_dir(), *([own] if own else [])]
    group = GROUPS[what]
    lines = [(name, about) for (of, name), about in described([own] if own else []).items() if of == group]
    files = [] if group == "card" else [file for folder in folders for file in choices(folder / group)]
    for file in files:
        text = file.read_text(encoding="utf-8")
        lines.append((file.stem, _about(load_yaml(text), text)))
    width = max((len(name) for name, _ in lines), default=0)
    for name, about in sorted(lines):
        print(f"{name:<{width}}  {about}".rstrip())
    return 0


def _about(loaded: Mapping[str, Any], text: str) -> str:
    if about := loaded.get("description"):
        return str(about)
    comments = [line[2:] for line in text.splitlines() if line.startswith("# ") and not line.startswith("# @")]
    return comments[0] if comments else ""
