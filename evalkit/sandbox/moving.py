"""Where a pass rests on the program's word about its own objects: does the word change when the test's numbers and texts do?

`assert Vector(1) + Vector(2) == Vector(3)` asks the program's own `__eq__`. One that says yes to everything passes, in plain
Python too. So the test runs again with other constants, in new processes: each such yes has to become a no.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from typing import Any

CHANGES = 4  # of one constant; every one has to change the answer
WITHIN, BEFORE = 6, 8  # constants that are tried: of the statement itself, then of the lines before it
Words = dict[str, list[int]]  # "line operator" -> how often asked, how often answered yes (of values: a sum over them)
Moves = list[list[Any]]  # line, column, new value


def doubtful(words: Any) -> Words:
    """The answers to be confirmed: yes to being equal or contained, and whatever orders."""
    doubt: Words = {}
    for where, (asked, yes) in (words if isinstance(words, dict) else {}).items():
        kind = where.split()[-1]
        if kind in ("lt", "le", "gt", "ge", "of") or (asked > yes if kind == "ne" else yes > 0):
            doubt[where] = [asked, yes]
    return doubt


def unconfirmed(test: str, doubt: Words, run: Callable[[Moves], dict[str, Any] | None]) -> list[str]:
    """Those of `doubt` that no constant of the test changes. `run`: the verdict of the test with these constants instead."""
    draw, left = random.Random(test), set(doubt)
    for nodes in _rounds(ast.parse(test), left):
        changed = set(left)
        for turn in range(CHANGES):
            verdict = run([[node.lineno, node.col_offset, _other(node.value, turn, draw)] for node in nodes])
            changed = {where for where in changed if _differs(where, doubt[where], verdict)}
            if not changed:
                break
        left -= changed
        if not left:
            break
    return sorted(left)


def _rounds(tree: ast.Module, left: set[str]) -> Iterator[list[ast.Constant]]:
    """Constants that are changed together: one of each doubtful statement, then single ones before the first."""
    within: dict[int, list[ast.Constant]] = {}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt) and not hasattr(statement, "body"):
            for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1):
                within[line] = _constants(statement)
    for place in range(WITHIN):
        lines = {int(where.split()[0]) for where in left}
        if nodes := list({id(node): node for line in lines for node in within.get(line, [])[place : place + 1]}.values()):
            yield nodes
    last = max(int(where.split()[0]) for where in left)
    before = [node for node in _constants(tree) if node.lineno < last]
    yield from ([node] for node in before[::-1][:BEFORE])


def _constants(tree: ast.AST) -> list[ast.Constant]:
    """Numbers and texts, in the order of the source; not those within formatted texts, which have no place of their own."""
    within = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float, str) and id(node) not in within
    ]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _other(value: Any, turn: int, draw: random.Random) -> Any:
    """Another value of the type, a different one for every turn."""
    step = 1 + turn + CHANGES * draw.randrange(3)
    if isinstance(value, str):
        return value + "abcdefghijkl"[step - 1]
    return value + step


def _differs(where: str, said: list[int], verdict: dict[str, Any] | None) -> bool:
    """Whether the run shows that the answer depends on the constant; a run that stumbles before the answer shows nothing."""
    if not verdict or int(where.split()[0]) in verdict.get("stumbled", ()):
        return False
    again = verdict.get("words", {}).get(where)
    if again is None:
        return verdict.get("passed") is True
    return bool(again[1] != said[1] if again[0] == said[0] or verdict.get("passed") is True else False)
