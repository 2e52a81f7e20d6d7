"""What a gate asks for: tolerances, tiers and error rates, from a YAML file that is checked against these types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from evalkit.errors import ConfigError, did_you_mean
from evalkit.files import read_text

Tier = Literal["required", "supporting", "advisory"]
TIERS: tuple[Tier, ...] = ("required", "supporting", "advisory")
Size = Annotated[float | str, msgspec.Meta(description="a fraction of the metric's scale (0.03) or a percentage ('3%')")]
_TOLERANCES = ("threshold", "margin", "epsilon", "delta")  # what a tolerance is called elsewhere
MEAN, TASK = 0.01, 0.03  # one point on the mean, three on any task


class TaskPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One task: `tier` and `tolerance` default to the policy's.

    Attributes:
        relative: the tolerance is a share of the base's score, not a difference of scores.
    """

    tier: Tier | None = None
    tolerance: Size | None = None
    relative: bool = False


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gate's policy.

    Attributes:
        mean: tolerance of the unweighted mean of the required tasks.
        tolerance: of any task that names no other.
        alpha: the chance of a wrong pass, and the chance of any wrong regression.
        power: with which a change of nothing should pass; what cannot is told, and `gate plan` plans for it.
        missing: what a task is that only the base or the policy has: no comparison, a regression, or left out.
        others: the tier of tasks of the base that `tasks` does not name; `ignore` leaves them out.
        documents: `same` refuses runs of which one measured documents that the other did not; `shared` leaves those out.
        prompts: `same` refuses runs that were asked in different words.
        tasks: by name.
    """

    mean: Size = MEAN
    tolerance: Size = TASK
    alpha: Annotated[float, msgspec.Meta(gt=0, lt=0.5)] = 0.05
    power: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.8
    missing: Literal["refuse", "fail", "ignore"] = "refuse"
    others: Literal["required", "supporting", "advisory", "ignore"] = "required"
    documents: Literal["same", "shared"] = "same"
    prompts: Literal["same", "any"] = "same"
    tasks: dict[str, TaskPolicy] = {}

    def tier(self, task: str) -> Tier | None:
        """The task's tier; None when it is left out."""
        own = self.tasks.get(task)
        if own is not None:
            return own.tier or "required"
        return None if self.others == "ignore" else self.others

    def of(self, task: str) -> tuple[float, bool]:
        """(tolerance, whether it is relative)."""
        own = self.tasks.get(task) or TaskPolicy()
        return size(f"tasks.{task}.tolerance", self.tolerance if own.tolerance is None else own.tolerance), own.relative

    @property
    def of_mean(self) -> float:
        return size("mean", self.mean)


def read_policy(path: Path) -> Policy:
    """A policy file.

    Raises:
        ConfigError: it cannot be read, is no YAML, or says something that no policy says; names the setting and what fits.
    """
    import yaml

    if not path.is_file():
        raise ConfigError(f"policy={path} is no file; docs/gate.md shows one")
    try:
        raw = yaml.safe_load(read_text(path, "give a YAML file"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML ({' '.join(str(error).split())})") from error
    return policy_of(raw if raw is not None else {}, str(path))


def policy_of(raw: Any, where: str = "policy") -> Policy:
    """A policy from plain values.

    Raises:
        ConfigError: as `read_policy`.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where} is no policy; it holds a {type(raw).__name__}, not settings like `tolerance: 3%`")
    tasks = raw.get("tasks") or {}
    if not isinstance(tasks, Mapping):
        raise ConfigError(f"{where}: tasks is a {type(tasks).__name__}, not settings by task like `gsm8k: {{tolerance: 2%}}`")
    checked = {name: _checked(task or {}, TaskPolicy, f"{where}: tasks.{name}") for name, task in tasks.items()}
    policy: Policy = _checked({**raw, "tasks": checked}, Policy, where)
    try:
        size("mean", policy.mean), size("tolerance", policy.tolerance)
        for task in policy.tasks:
            policy.of(task)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return policy


def size(name: str, given: float | str) -> float:
    """A tolerance as a fraction.

    Raises:
        ConfigError: no number, below 0, or 1 and more, which is 100 points and surely meant as a percentage.
    """
    text = f"{given:g}" if isinstance(given, float) else given.strip()
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise ConfigError(f"{name}={text} is no size of a difference; 0.01 or 1% is one point") from None
    if value >= 1:
        meant = f"write {value / 100:g} or {value:g}% for {value:g} of them" if value < 100 else "a scale has 100, and 0.01 or 1% is one"
        raise ConfigError(f"{name}={text} is {100 * value:,.0f} points; {meant}")
    if not value >= 0:
        raise ConfigError(f"{name}={text} is no size of a difference; a tolerance is 0 or more")
    return value


def schema() -> str:
    """The JSON schema of a policy, as published in `docs/gate.schema.json`."""
    return json.dumps(msgspec.json.schema(Policy), indent=1, ensure_ascii=False) + "\n"


def _checked(raw: Any, kind: type[Any], where: str) -> Any:
    """The values as `kind`; an error names the setting, its value and what fits, and the nearest setting where one is misspelt."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        known = kind.__struct_fields__
        if unknown := re.search(r"unknown field `([^`]+)`", str(error)):
            near = nearest(unknown[1], known)
            raise ConfigError(f"{where}: unknown setting {unknown[1]!r}{near}; there are {', '.join(known)}") from error
        at = re.search(r" - at `\$\.(\w+)", str(error))
        if at and (choices := _choices(kind, at[1])) and isinstance(given := raw.get(at[1]), str):
            near = did_you_mean(given, choices)
            raise ConfigError(f"{where}: {at[1]}={given} is none of {', '.join(choices)}{near}") from error
        given = f"{at[1]}={raw.get(at[1])}: " if at and isinstance(raw, Mapping) else ""
        raise ConfigError(f"{where}: {given}{str(error).partition(' - at ')[0]}") from error


def _choices(kind: type[Any], name: str) -> tuple[str, ...]:
    """What a setting can be that is one of a few words; empty for any other."""
    hint = get_type_hints(kind)[name]
    return next((get_args(one) for one in (hint, *get_args(hint)) if get_origin(one) is Literal), ())


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, also for the words that other tools use for a tolerance."""
    near = did_you_mean(word, [*known, *_TOLERANCES])
    return next((near.replace(other, "tolerance") for other in _TOLERANCES if f" {other}?" in near), near)
