"""Settings of a hosted model out of a configuration: names that are unknown and prices of another model are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from evalkit.errors import ConfigError, did_you_mean
from evalkit.models.openai.cost import Price
from evalkit.models.openai.prices import listed

S = TypeVar("S")


def price_of(model_id: str, base_url: str, given: Mapping[str, Any] | str | None, max_cost: float | None) -> Price | None:
    """The price, if it is this model's; `auto` looks it up.

    Raises:
        ConfigError: it is another's, and a ceiling would rest on it; it cannot be looked up.
    """
    if isinstance(given, str):
        if given != "auto":
            raise ConfigError(f"model.price={given!r} is no price; give {{input: …, output: …}} in US dollars per million tokens, or auto")
        return listed(model_id, base_url)
    price = settings_of(Price, given, "price") if given else None
    if price is None or price.model in (None, model_id):
        return price
    if max_cost is not None:
        raise ConfigError(
            f"model.max_cost needs the price of {model_id}, and model.price is {price.model}'s; set its input, output and model"
        )
    return None


def settings_of(kind: type[S], given: Mapping[str, Any] | None, where: str) -> S:
    """A frozen settings class from configuration.

    Raises:
        ConfigError: a name it does not have, or one it cannot do without.
    """
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in given or {}:
        if name not in known:
            raise ConfigError(f"model.{where}: unknown {name!r}{did_you_mean(str(name), known)}; there are {', '.join(known)}")
    try:
        return kind(**(given or {}))
    except TypeError:
        raise ConfigError(f"model.{where} needs more than {dict(given or {})}; there are {', '.join(known)}") from None
