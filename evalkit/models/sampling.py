"""Decoding as a model's card asks for it: `model.sampling` goes before what a task says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from evalkit.errors import ConfigError, did_you_mean
from evalkit.types import GenerationParams

NAMES = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty")
DRAWING = ("top_p", "top_k", "min_p")
# Values that change nothing, of settings that not every server knows.
NEUTRAL = {f.name: f.default for f in fields(GenerationParams) if f.name in NAMES[2:]}


@dataclass(frozen=True)
class Sampling:
    """What `model.sampling` sets; a setting that it does not name is the task's.

    Attributes:
        asked: the settings by name, out of NAMES.

    Raises:
        ConfigError: an unknown name, or a value that cannot be.
    """

    asked: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.asked is not None and not isinstance(self.asked, Mapping):
            raise ConfigError(f"model.sampling={self.asked!r} is no mapping; give {{temperature: 0.6, top_p: 0.95}} or the like")
        object.__setattr__(self, "asked", {name: value for name, value in (self.asked or {}).items() if value is not None})
        for name in self.asked:
            if name not in NAMES:
                raise ConfigError(f"model.sampling: unknown {name!r}{did_you_mean(str(name), NAMES)}; there are {', '.join(NAMES)}")
        if (fault := GenerationParams(**self.asked).fault()) is not None:
            raise ConfigError(f"model.sampling: {fault}")

    def over(self, params: GenerationParams) -> GenerationParams:
        """The task's parameters, with what was asked for in their place."""
        return replace(params, **self.asked) if self.asked else params

    def told(self) -> dict[str, Any]:
        """For a run's identity: nothing where nothing was asked for."""
        return {"sampling": dict(sorted(self.asked.items()))} if self.asked else {}

    def note(self, greedy: bool) -> str:
        """For the table's footnote; empty where nothing was asked for.

        Args:
            greedy: the answers were not drawn, whatever chooses among tokens to draw from.
        """
        if not self.asked:
            return ""
        said = {name: f"{name} {self.asked[name]:g}" for name in NAMES if name in self.asked}
        idle = [text for name, text in said.items() if greedy and name in DRAWING]
        used = [text for name, text in said.items() if not (greedy and name in DRAWING)]
        aside = f" (nothing was drawn, so {' and '.join(idle)} had no effect)" if idle else ""
        return f"decoded with model.sampling, which goes before the task's own settings: {', '.join(used) or 'nothing'}{aside}"
