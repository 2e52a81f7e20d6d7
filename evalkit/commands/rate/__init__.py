"""`evalkit rate`: answers of several models, rated blind by people."""

from __future__ import annotations

from importlib import import_module

from evalkit.errors import ConfigError, did_you_mean

# An action's name, and `module:function` that takes the words after it.
ACTIONS = {
    "ask": "making:ask",
    "make": "making:make",
    "serve": "collecting:serve",
    "collect": "collecting:collect",
    "judge": "collecting:judge",
    "export": "collecting:export",
    "plan": "planning:plan",
}


def rate(words: list[str]) -> int:
    """`evalkit rate ask|make|serve|collect|judge|export|plan …`."""
    action = words[0] if words else ""
    if action not in ACTIONS:
        wrong = f"rate {action}: unknown{did_you_mean(action, ACTIONS)}; " if action else ""
        raise ConfigError(f"{wrong}evalkit rate {'|'.join(ACTIONS)} …")
    module, _, function = ACTIONS[action].partition(":")
    return int(getattr(import_module(f"evalkit.commands.rate.{module}"), function)(words[1:]))
