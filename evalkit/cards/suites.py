"""What to run for a card, as pure data: a configuration node for the card and one for each of its suites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.cards.card import Card, CardRow, CardTable

Node = dict[str, Any]


def nodes(card: Card) -> dict[tuple[str, str], Node]:
    """Configuration nodes by (group, name): ("card", NAME) is the whole card, ("suite", SUITE) a part of it.

    A node's `defaults` put the tasks in the card's order, each instance once; `tasks` has the instances' names and the rows'
    overrides; `card.rows` says in which tables an instance is. Rows that nothing measures are left out.
    """
    made = {("card", card.name): _node(card, f"{card.title}: {card.about.edition}", None, "")}
    for name, suite in card.about.suites.items():
        made["suite", name] = _node(card, suite.description, suite.tables, suite.form)
    return made


def _node(card: Card, description: str, only: Sequence[str] | None, form: str) -> Node:
    rows: dict[str, list[str]] = {}
    chosen: dict[str, tuple[str, Node]] = {}
    for table, row in measured(card, only):
        instance, task, overrides = _instance(row, form)
        chosen.setdefault(instance, (task, {"name": instance, **overrides}))
        if table.key not in rows.setdefault(instance, []):
            rows[instance].append(table.key)
    return {
        "description": description,
        "defaults": [*({f"/task@tasks.{instance}": task} for instance, (task, _) in chosen.items()), "_self_"],
        "card": {"name": card.name, "tables": list(only) if only is not None else None, "column": None, "rows": rows},
        "tasks": {instance: settings for instance, (_, settings) in chosen.items()},
    }


def measured(card: Card, only: Sequence[str] | None = None) -> list[tuple[CardTable, CardRow]]:
    """The rows that a task measures, of some tables or of all."""
    return [(table, row) for table in card.tables if only is None or table.key in only for row in table.rows if row.task is not None]


def _instance(row: CardRow, form: str) -> tuple[str, str, Node]:
    """(name in the run, task, overrides); another form is measured as its task file has it."""
    if form in row.about.forms:
        return row.about.forms[form], row.about.forms[form], {}
    return row.instance or row.key, row.task or row.key, row.about.overrides
