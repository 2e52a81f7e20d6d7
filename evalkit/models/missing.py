"""A model of a published table that cannot be run: it says what is missing, before anything else happens."""

from __future__ import annotations

from typing import Never

from evalkit.errors import ModelError


class MissingModel:
    """Stands in `conf/model/` for a model without a back end; making one is an error that says why."""

    def __new__(cls, name: str, reason: str, card_name: str | None = None) -> Never:
        """Raises ModelError: always, with the one-line reason."""
        column = f" (its published scores stay in the table, column {card_name})" if card_name else ""
        raise ModelError(f"model {name} cannot be run: {reason}; choose another model{column}")
