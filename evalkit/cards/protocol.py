"""What is known of a card and of how its numbers were made: `card.yaml`, read and checked key by key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from evalkit.errors import DataError, did_you_mean

FILE = "card.yaml"


class ThirdParty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Columns that hold other people's published numbers, made with their own prompts and shots."""

    columns: tuple[str, ...]
    reason: str


class RowProtocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"as_": "as"}):
    """One row of the card: what is printed, what measures it, and what is known of how it was made.

    Attributes:
        label: as printed; labels may repeat.
        task: a name of conf/task; left out: the row's key; null: printed only, nothing measures it.
        as_: the name the task has in a run of this card; left out: the task's.
        metric: which of the task's metrics the printed number is; left out: the task's headline.
        printed_metric: the card's own word for it.
        shots: as printed, None where the card states none.
        overrides: merged over the task when the card is run.
        forms: name -> task that measures the row in another form.
        scale: what the printed numbers are out of, where it is not the card's own scale.
        not_comparable: why no measurement can be held against the row.
        caveat: what is assumed where one can; ends the reason of a verdict.
        notes: lines under the tables.
    """

    label: str
    task: str | UnsetType | None = UNSET
    as_: str = ""
    metric: str = ""
    printed_metric: str = ""
    shots: int | None = None
    overrides: dict[str, Any] = {}
    forms: dict[str, str] = {}
    scale: float | None = None
    not_comparable: str = ""
    caveat: str = ""
    notes: tuple[str, ...] = ()


class TableProtocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of the card; `rows` in the card's order."""

    title: str
    rows: dict[str, RowProtocol]
    third_party: ThirdParty | None = None


class SuiteProtocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the card to run under its own name: some of its tables, or rows in another form."""

    description: str
    tables: tuple[str, ...] | None = None
    form: str = ""


class CardProtocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole `card.yaml`.

    Attributes:
        edition: which edition of the card the numbers are of; `source`: where it is printed.
        subject: the column the card is about.
        columns: printed column -> names of our model configurations that fill it.
        scale: what the printed numbers are out of: 1, or 100 for percentages.
        context: tokens of text that the card says its subject reads; None where it says nothing of it.
    """

    title: str
    edition: str
    source: str
    tables: dict[str, TableProtocol]
    subject: str = ""
    columns: dict[str, tuple[str, ...]] = {}
    scale: float = 1
    context: int | None = None
    suites: dict[str, SuiteProtocol] = {}


def read_protocol(path: Path) -> CardProtocol:
    """Read a `card.yaml`. With `like: NAME` it is read over that card's (a neighbour's folder), without its suites.

    Raises:
        DataError: not readable, not YAML, an unknown or missing key, or a value of another type; one line with file and key.
    """
    raw = _merged(path, ())
    tables = _mapping(raw.get("tables"), path, "tables")
    made = {}
    for name, table in tables.items():
        at = f"tables.{name}"
        rows = _mapping(_mapping(table, path, at).get("rows"), path, f"{at}.rows")
        read = {key: _convert(row, RowProtocol, path, f"{at}.rows.{key}") for key, row in rows.items()}
        made[name] = msgspec.structs.replace(_convert({**table, "rows": {}}, TableProtocol, path, at), rows=read)
    suites = _mapping(raw.get("suites") or {}, path, "suites")
    parts = {name: _convert(suite, SuiteProtocol, path, f"suites.{name}") for name, suite in suites.items()}
    whole = _convert({**raw, "tables": {}, "suites": {}}, CardProtocol, path, "")
    if not made or not all(table.rows for table in made.values()):
        raise DataError(f"{path}: tables: empty; give the card's tables, each with its rows")
    if not whole.scale > 0:
        raise DataError(f"{path}: scale={whole.scale:g} is not above 0; 100 is for percentages")
    return msgspec.structs.replace(whole, tables=made, suites=parts)


T = TypeVar("T")


def _convert(raw: Any, kind: type[T], path: Path, at: str) -> T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        said, _, below = str(error).partition(" - at `$")
        key = ".".join(part for part in (at, below.rstrip("`").lstrip(".")) if part)
        unknown = said.partition("unknown field `")[2].rstrip("`")
        near = did_you_mean(unknown, [field.encode_name for field in msgspec.structs.fields(kind)]) if unknown else ""  # type: ignore[arg-type]
        raise DataError(f"{path}: {key + ': ' if key else ''}{said}{near}") from None


def _mapping(raw: Any, path: Path, at: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping) or not all(isinstance(key, str) for key in raw):
        raise DataError(f"{path}: {at} is {'missing' if raw is None else 'no mapping of names'}; write NAME: … below it")
    return raw


def _merged(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The file's mapping over that of the card it is like."""
    raw = dict(_mapping(_yaml(path), path, "the file"))
    like = raw.pop("like", None)
    if like is None:
        return raw
    from evalkit.paths import published_dir

    places = [path.parent.parent / str(like) / FILE, published_dir() / str(like) / FILE]
    base = next((place for place in places if place.is_file()), None)
    if base is None or base.resolve() in (*seen, path.resolve()):
        raise DataError(f"{path}: like: {like} is no other card; name a folder of {path.parent.parent} or of {published_dir()}")
    under = _merged(base, (*seen, path.resolve()))
    under.pop("suites", None)
    made = _over(under, raw)
    if isinstance(columns := made.get("columns"), Mapping):  # `NAME: null` takes a column away
        made["columns"] = {name: models for name, models in columns.items() if models is not None}
    return made


def _over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged key by key, anything else is replaced."""
    return {
        **base,
        **{k: _over(base[k], v) if isinstance(v, Mapping) and isinstance(base.get(k), Mapping) else v for k, v in top.items()},
    }


@lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    """Not to be changed by who reads it. Every composition of a configuration reads all cards, of which few differ from the last time."""
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _yaml(path: Path) -> Any:
    import yaml

    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path} cannot be read ({' '.join(str(error).split())}); a card is a folder with {FILE} and cells.csv") from error
