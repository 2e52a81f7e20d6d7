"""What the actions of `evalkit rate` share: how each is called, and their own kinds of words."""

from __future__ import annotations

from collections.abc import Mapping

from evalkit.errors import ConfigError

USAGE = {
    "ask": "evalkit rate ask model=A,B [prompts=FILE] [languages=hi,ta] [limit=N] [max_new_tokens=1024] [results_dir=DIR]",
    "make": "evalkit rate make RUN... out=DIR [raters=1|FILE] [per_prompt=1] [calibration=0] [duplicates=0] [task=A,B] [languages=hi,ta] "
    "[limit=N] [seed=N] [page=hi] [named=refuse|mask|keep]; model=A,B [prompts=FILE] asks the models first",
    "serve": "evalkit rate serve DIR [host=127.0.0.1] [port=8000]",
    "collect": "evalkit rate collect FILES... into=DIR [sheet=DIR] [overwrite=true]",
    "judge": "evalkit rate judge DIR model=NAME [name=JUDGE]",
    "export": "evalkit rate export DIR to=label-studio|argilla|csv [out=DIR]",
    "plan": "evalkit rate plan [points=0.5] [raters=12] [per_prompt=3] [prompts=N] [from=DIR]",
}


def listed(text: str) -> list[str]:
    """The names of `A,B` or `[A,B]`."""
    return [part.strip() for part in text.strip("[]").split(",") if part.strip()]


def whole(taken: Mapping[str, str], name: str, otherwise: int) -> int:
    """A whole number from 0."""
    text = taken.get(name, str(otherwise))
    if not text.isdecimal():
        raise ConfigError(f"{name}={text} is not a whole number from 0")
    return int(text)
