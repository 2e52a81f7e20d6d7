"""Where a pass rests on the program's word about its own objects: does the word change when the test's numbers and texts do?

`assert Vector(1) + Vector(2) == Vector(3)` asks the program's own `__eq__`. One that says yes to everything passes, in plain
Python too. So the test runs again with other constants, in new processes: each such yes has to become a no.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from typing import Any

CHANGES, LEAST = 4, 2  # of one constant: how many are made, how many have to be seen; every one seen has to change the answer
ALIKE = "0123456789abcdefghijklmnopqrstuvwxyzzzzzABCDEFGHIJKLMNOPQRSTUVWXYZZZZZ"  # in tens: a letter is replaced within its ten
ORDER = ("lt", "le", "gt", "ge")
WITHIN, BEFORE = 6, 8  # constants that are tried: of the statement itself, then of the lines before it
Words = dict[str, list[int]]  # "line operator" -> how often asked, how often answered yes, a hash of the answers
Moves = list[list[Any]]  # line, column, new value


def doubtful(words: Any) -> Words:
    """The answers to be confirmed: yes to being equal or contained, and whatever orders."""
    doubt: Words = {}
    for where, (asked, yes, sequence) in (words if isinstance(words, dict) else {}).items():
        kind = where.split()[-1]
        if kind in (*ORDER, "of") or (asked > yes if kind == "ne" else yes > 0):
            doubt[where] = [asked, yes, sequence]
    return doubt


def unconfirmed(test: str, doubt: Words, run: Callable[[Moves], dict[str, Any] | None]) -> list[str]:
    """Those of `doubt` that no constant of the test changes. `run`: the verdict of the test with these constants instead."""
    draw, left = random.Random(test), set(doubt)
    for nodes in _rounds(ast.parse(test), left):
        seen: dict[str, list[bool]] = {where: [] for where in left}
        for turn in range(CHANGES):
            verdict = run([[node.lineno, node.col_offset, _other(node.value, turn, draw)] for node in nodes])
            for where, found in seen.items():
                if (differs := _differs(where, doubt[where], verdict)) is not None:
                    found.append(differs)
            if all(not all(found) and not _orders(where) for where, found in seen.items()):
                break
        left -= {where for where, found in seen.items() if (any(found) if _orders(where) else all(found) and len(found) >= LEAST)}
        if not left:
            break
    return sorted(left)


def _orders(where: str) -> bool:
    """Whether it is an answer about order, which not every change turns round."""
    return where.split()[-1] in ORDER


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
    before = [node for node in _constants(tree) if node.lineno <= last]
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
    if isinstance(value, str):
        places = [place for place, letter in enumerate(value) if letter in ALIKE]
        if turn < 2 and places:  # still a number, a date or a word
            place = places[0 if turn else -1]
            letter = ALIKE[(ALIKE.index(value[place]) + 5) % 10 + ALIKE.index(value[place]) // 10 * 10]
            return value[:place] + letter + value[place + 1 :]
        return (value + "k", "z" + value, value + "q", "A" + value)[turn]
    return value + (1 + draw.randrange(4), 5 + draw.randrange(4), 1000 + draw.randrange(9), -1000 - draw.randrange(9))[turn]


def _differs(where: str, said: list[int], verdict: dict[str, Any] | None) -> bool | None:
    """Whether the answer is another one with the other constant; None where the run ended before it could be."""
    if not verdict or int(where.split()[0]) in verdict.get("stumbled", ()):
        return None
    asked, yes, _ = again = verdict.get("words", {}).get(where, [0, 0, 0])
    if asked == said[0]:
        return bool(again != said)
    if not asked:  # a set whose hashes differ asks nothing
        return True if verdict.get("passed") is True else None
    # Asked more or less often, as in a loop, it is another answer where one that was always yes (or no) is not any more.
    return yes != (asked if said[1] else 0) if said[1] in (0, said[0]) else None
