"""Cards in a configuration: what `card=NAME` and a card's suites put into it, and which cards a configuration names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from evalkit.cards import Card, card_folders, card_names, find_card, load_card, nodes
from evalkit.cards.card import CELLS
from evalkit.cards.protocol import FILE
from evalkit.errors import ConfigError, did_you_mean
from evalkit.paths import published_dir


def card_nodes(config_dirs: Sequence[Path] = ()) -> dict[tuple[str, str], dict[str, Any]]:
    """Configuration nodes of every card that can be found, by (group, name): ("card", NAME) and ("suite", SUITE).

    Raises:
        DataError: a damaged card; names file and key.
        ConfigError: two cards, or two suites, of one name.
    """
    made: dict[tuple[str, str], dict[str, Any]] = {}
    for folder in card_names(card_folders(config_dirs)).values():
        for key, node in _nodes_of(folder, *(_stamp(folder / name) for name in (FILE, CELLS))).items():
            if key in made:
                raise ConfigError(f"{folder}: {key[0]} {key[1]} has the name of another card's; choose another")
            made[key] = node
    return made


@lru_cache(maxsize=64)
def _nodes_of(folder: Path, *_: object) -> dict[tuple[str, str], dict[str, Any]]:
    """One card's; read again when a file of it has changed, because a command composes more than once. Nobody may change them."""
    made = nodes(load_card(folder))
    # A card of the user's own is found again by its folder, whatever folder a report is asked for in.
    told = {"only": None, "folder": None if folder.parent == published_dir() else str(folder.resolve())}
    return {key: {**node, "card": {**node["card"], **told}} for key, node in made.items()}


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def narrowed(config: Mapping[str, Any], chosen: Collection[str] | None = None) -> dict[str, Any]:
    """The configuration without those of its card's tasks that were not asked for.

    Args:
        chosen: tasks named outside the card (`task=`, `suite=`): of the card's own, these alone stay. None: those of
            `card.tables` and `card.only`.

    Raises:
        ConfigError: the card has no such table, or no such task.
    """
    card = config.get("card") or {}
    if not isinstance(card, Mapping):
        names = card_names(card_folders())
        raise ConfigError(f"unknown card {card!r}{did_you_mean(str(card), names)} (see: evalkit ls cards)")
    rows: Mapping[str, Sequence[str]] = card.get("rows") or {}
    tables, only = _listed(card, "tables"), _listed(card, "only")
    known = list(dict.fromkeys(table for where in rows.values() for table in where))
    for setting, wanted, there in (("tables", tables, known), ("only", only, list(rows))):
        for name in wanted or ():
            if rows and name not in there:
                near = did_you_mean(name, there)
                raise ConfigError(f"card.{setting}: {card.get('name')} has no {name!r}{near}; it has {', '.join(there)}")
    left_out = {
        name
        for name, where in rows.items()
        if (chosen is not None and name not in chosen)
        or (chosen is None and tables is not None and not set(tables) & set(where))
        or (only is not None and name not in only)
    }
    return {**config, "tasks": {name: task for name, task in (config.get("tasks") or {}).items() if name not in left_out}}


def _listed(card: Mapping[str, Any], setting: str) -> list[str] | None:
    held = card.get(setting)
    if held is None or isinstance(held, list):
        return held
    if isinstance(held, str):
        return [held]
    raise ConfigError(f"card.{setting}={held} is not a list of names; give 'card.{setting}=[A,B]'")


def cards_named(words: str, config_dirs: Sequence[Path] = ()) -> list[Card]:
    """The cards of `NAME`, `DIR`, `A,B` or `[A,B]`; none for `null`.

    Raises:
        ConfigError: no such card, naming the nearest.
        DataError: a damaged card.
    """
    names = [name.strip() for name in words.strip().removeprefix("[").removesuffix("]").split(",") if name.strip()]
    return [find_card(name, card_folders(config_dirs)) for name in names if name != "null"]


def cards_of(configs: Iterable[Mapping[str, Any]], config_dirs: Sequence[Path] = ()) -> tuple[list[Card], list[str]]:
    """The cards that saved configurations name, each once, and a line for each that is not there any more.

    Raises:
        DataError: a damaged card.
    """
    wanted = dict.fromkeys((card["name"], card.get("folder")) for config in configs if (card := config.get("card")) and card.get("name"))
    found: list[Card] = []
    missing: list[str] = []
    for name, folder in wanted:
        try:
            found.append(load_card(Path(folder)) if folder and Path(folder).is_dir() else find_card(str(name), card_folders(config_dirs)))
        except ConfigError as error:
            missing.append(f"{error}; card=DIR or --config-dir DIR names its folder")
    return found, missing
