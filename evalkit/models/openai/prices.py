"""List prices out of the package genai-prices: `model.price=auto`."""

from __future__ import annotations

import logging
from typing import Any

from evalkit.errors import ConfigError
from evalkit.extras import need
from evalkit.models.openai.cost import Price

log = logging.getLogger("evalkit")


def listed(model_id: str, base_url: str) -> Price:
    """The price of a model at an address; of one that depends on the prompt's length the dearest, so that a ceiling holds.

    Raises:
        ConfigError: the package is not installed, or knows no price of this model there.
    """
    need("genai_prices", "model.price=auto")
    from genai_prices import Usage, __version__, calc_price

    try:
        found = calc_price(Usage(input_tokens=1, output_tokens=1), model_id, provider_api_url=base_url).model_price
    except LookupError:
        found = None
    if found is None or found.input_mtok is None or found.output_mtok is None:
        raise ConfigError(
            f"genai-prices {__version__} has no price of {model_id} at {base_url}; give model.price={{input: …, output: …}}, "
            "US dollars per million tokens"
        )
    cached = None if found.cache_read_mtok is None else _dearest(found.cache_read_mtok)
    price = Price(_dearest(found.input_mtok), _dearest(found.output_mtok), cached, model_id)
    log.warning(
        "model.price=auto: %s costs %g in, %g out per million tokens (genai-prices %s)", model_id, price.input, price.output, __version__
    )
    return price


def _dearest(price: Any) -> float:
    """A number, or the highest of its tiers."""
    return float(max([price.base, *(tier.price for tier in price.tiers)]) if hasattr(price, "tiers") else price)
