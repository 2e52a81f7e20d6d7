"""The process that decides. It runs the problem's own test, in a memory the program cannot reach.

What the test calls in the program goes over a pipe and comes back as plain data; the verdict goes over another, which
only this process has.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import dis
import inspect
import json
import os
import random
import sys
import types
import zlib
from typing import Any

from folder import Folder
from wire import Lost, Peer, describe

STUMBLED = "__stumbled__"
MOST_WORDS = 200
PATCHED = ("builtins", "time", "random", "os", "datetime")  # modules in which what a test replaces is replaced for the program too
PLAIN = (
    "int", "float", "complex", "str", "bytes", "bytearray", "bool", "list", "tuple", "dict", "set", "frozenset", "range", "slice", "object",
)  # fmt: skip
# Types that cannot be changed; a pickle may set attributes of any class it names.
PICKLED = {
    *(("builtins", name) for name in PLAIN),
    *(("collections", name) for name in ("OrderedDict", "defaultdict", "deque")),
    *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
    ("decimal", "Decimal"),
}
REFUSED = ("os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "os.system", "os.fork")
MADE = ("code.__new__", "function.__new__", "sys.settrace", "sys.setprofile")
# They make code of names that they have checked, or only read it.
MAKERS = (
    "/dataclasses.py",
    "/collections/__init__.py",
    "/ast.py",
    "<frozen importlib._bootstrap_external>",
    "<frozen importlib._bootstrap>",
)
VALUES = (
    ast.Module, ast.Interactive, ast.Expression, ast.Expr, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp,
    ast.BoolOp, ast.Compare, ast.Name, ast.Call, ast.Subscript, ast.Slice, ast.keyword, ast.expr_context, ast.operator, ast.unaryop,
    ast.boolop, ast.cmpop,
)  # fmt: skip
BY_NAME = (
    "int", "float", "complex", "str", "bytes", "bytearray", "list", "tuple", "dict", "set", "frozenset", "range", "inf", "nan", "deque",
    "Counter", "OrderedDict", "Decimal", "Fraction", "abs", "len", "max", "min", "sum", "round", "sorted", "pow",
)  # fmt: skip


class Names(dict[str, Any]):
    """The test's global names. A name that neither the prompt, the test nor Python defines is the program's."""

    peer: Peer

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name) or name.startswith("__"):
            raise KeyError(name)
        return self.peer.ask("global", name)


def decide(job: dict[str, Any], read: int, write: int, verdict: int) -> None:
    """Run the test against the program and write the verdict."""
    names = Names()
    stumbled: set[int] = set()
    names["__name__"] = "test"
    names.peer = peer = Peer(read, write, names, open_all=False)
    try:
        join(peer, job)
        while "op" in (started := peer.receive()):
            peer.answer(started)
        if "raised" in started:
            raise peer._exception(started["raised"])
        define(job["prompt"], names)
        # Helpers that the prompt defines stay the prompt's, whatever the program made of them; the function under
        # test is the program's, also where the test calls it by its name.
        if job["entry_point"]:
            names.pop(job["entry_point"], None)
            with contextlib.suppress(NameError):
                names[job["entry_point"]] = peer.ask("global", job["entry_point"])
        code = compile(moved(job["test"], job["moved"]) if "moved" in job else job["test"], "<test>", "exec", dont_inherit=True)
        for name in within_classes(code) - names.keys() - stored(code):
            if not hasattr(builtins, name) and not name.startswith("__"):
                with contextlib.suppress(NameError):
                    names[name] = peer.ask("global", name)
        guard(peer)
        if "moved" in job:
            names[STUMBLED] = lambda line, error: stumbled.add(line) if unclear(error) else None
        exec(code, names)
        answer: dict[str, Any] = {"passed": not peer.broken}
        if peer.broken:
            answer["raised"] = {"types": ["Lost"], "text": peer.broken}
    except BaseException as error:
        answer = {"passed": False, "raised": describe(error), "far": getattr(error, "far", None)}
    answer["words"] = {
        where: [len(said), sum(said), zlib.crc32(repr(said).encode())] for where, said in list(peer.words.items())[:MOST_WORDS]
    }
    answer["stumbled"] = sorted(stumbled)
    os.write(verdict, json.dumps(answer).encode())
    os._exit(0)


def join(peer: Peer, job: dict[str, Any]) -> None:
    """Hear what the program prints; tell it of seeds and clocks that the test sets."""
    told: dict[str, Any] = {}
    seen = {name: dict(vars(sys.modules[name])) for name in PATCHED}
    seed = random.seed

    def seeded(a: Any = None, version: int = 2) -> None:
        seed(a, version)
        if a is None or type(a) in (int, float, str):
            told["seed"] = [a, version]

    random.seed = seeded
    seen["random"]["seed"] = seeded

    def say() -> dict[str, Any]:
        for name, before in seen.items():
            now = vars(sys.modules[name])
            if now != before:
                changed = [key for key in now if now[key] is not before.get(key) and not key.startswith("_")]
                told["patched"] = {f"{name} {key}": [peer.pack(now[key])] for key in changed}
                told["patched"] |= {one: None for one in patched if one.startswith(f"{name} ") and one not in told["patched"]}
                patched.update(told["patched"])
            elif any(one.startswith(f"{name} ") and value is not None for one, value in patched.items()):
                told["patched"] = {one: None for one in patched if one.startswith(f"{name} ")}
                patched.update(told["patched"])
        said = dict(told)
        told.clear()
        if files := folder.changes():
            said["files"] = files
        return said

    patched: dict[str, Any] = {}
    folder = Folder(all_known=False)
    peer.name = folder.name

    def hear(message: dict[str, Any]) -> None:
        if "files" in message:
            folder.take(message["files"])
        for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
            if type(message.get(name)) is str:
                stream.write(message[name])

    def plainly_raised(error: BaseException) -> bool:
        """Whether a `raise` of the test's own, at the level of its `with`, raised it: no verdict depends on whether it does."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is None or trace.tb_frame.f_code.co_filename != "<test>" or isinstance(error, AssertionError):
            return False
        within = [node for node in ast.walk(ast.parse(job["test"])) if isinstance(node, (ast.With, ast.AsyncWith))]
        return any(isinstance(part, ast.Raise) and part.lineno == trace.tb_lineno for node in within for part in node.body)

    peer.say, peer.hear, peer.plainly_raised = say, hear, plainly_raised


def guard(peer: Peer) -> None:
    """From here on a text or bytes that the program made is not run as code, also where the test would have it run."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "compile" and args[0] is not None and not inside:
            inside.append(True)
            try:
                if written(args[1]) or not (_caller().endswith(MAKERS) or harmless(args[0])):
                    raise peer.lost("the test runs what may be the program's text as code")
            finally:
                inside.clear()
        elif loaded(event, args):
            raise peer.lost("the test loads what may be the program's code")
        elif event == "pickle.find_class" and (args[0], args[1]) not in PICKLED:
            raise peer.lost(f"the test unpickles {args[0]}.{args[1]}, which may be the program's to choose")
        elif event == "marshal.loads" and not _caller().startswith("<frozen importlib"):
            raise peer.lost("the test loads what may be the program's code")
        elif event in REFUSED or event.startswith("ctypes.") or (event in MADE and _caller() == "<test>"):
            raise peer.lost(f"the test calls {event}, where the program could take part")

    inside: list[bool] = []
    sys.addaudithook(hook)


def loaded(event: str, args: tuple[Any, ...]) -> bool:
    """Whether compiled code is read from where the program can write."""
    if event == "open":
        return str(args[0]).endswith((".pyc", ".so")) and written(args[0])
    return bool(event == "import" and args[1] and written(args[1]))


def written(path: Any) -> bool:
    """Whether a file lies where the program can write."""
    folder = os.getcwd()
    if os.fsdecode(path).startswith("<"):
        return False
    return os.path.realpath(os.path.join(folder, os.fsdecode(path))).startswith(("/tmp/", folder + "/"))


def _caller() -> str:
    """The file of the code that asks for what is audited."""
    frame = sys._getframe(2)
    return frame.f_code.co_filename


def harmless(source: Any) -> bool:
    """Whether a text holds values alone: literals, operators, and calls of types by name."""
    if isinstance(source, ast.AST):
        tree = source
    else:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, TypeError):
            return True
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and (node.id not in BY_NAME or not isinstance(node.ctx, ast.Load)):
            return False
        if not isinstance(node, VALUES):
            return False
    return True


def moved(test: str, moves: list[list[Any]]) -> ast.Module:
    """The test with other numbers and texts at some places, and going on behind an assertion that fails."""
    tree = ast.parse(test)
    new = {(line, column): value for line, column, value in moves}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and (node.lineno, node.col_offset) in new:
            node.value = new[node.lineno, node.col_offset]
    return ast.fix_missing_locations(Onwards().visit(tree))


def unclear(error: BaseException) -> bool:
    """Whether an error says nothing of the program's answers: it raised it itself, or the moved value was of no use."""
    return hasattr(error, "far") or isinstance(error, (Lost, TypeError, AttributeError, NameError))


class Onwards(ast.NodeTransformer):
    """Assertions that fail do not end the test."""

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        return self._tried(node)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        called = node.value.func if isinstance(node.value, ast.Call) else None
        return self._tried(node) if isinstance(called, ast.Attribute) and called.attr.startswith("assert") else node

    def _tried(self, node: ast.stmt) -> ast.stmt:
        told: list[ast.expr] = [ast.Constant(node.lineno), ast.Name("__error__", ast.Load())]
        note = ast.Expr(ast.Call(ast.Name(STUMBLED, ast.Load()), told, []))
        handlers = [
            ast.ExceptHandler(ast.Name("AssertionError", ast.Load()), None, [ast.Pass()]),
            ast.ExceptHandler(ast.Name("Exception", ast.Load()), "__error__", [note]),
        ]
        return ast.copy_location(ast.Try([node], handlers, [], []), node)


def within_classes(code: types.CodeType, within: bool = False) -> set[str]:
    """Names that class bodies look up, for which Python does not ask `Names.__missing__`."""
    body = within and not code.co_flags & inspect.CO_OPTIMIZED
    found = set(code.co_names) if body else set()
    return found.union(*(within_classes(part, True) for part in code.co_consts if isinstance(part, types.CodeType)))


def stored(code: types.CodeType) -> set[str]:
    """Names that a module's code itself defines."""
    return {str(one.argval) for one in dis.get_instructions(code) if one.opname in ("STORE_NAME", "STORE_GLOBAL")}


def define(prompt: str, names: dict[str, Any]) -> None:
    """What the prompt defines. It may end in the middle of a function, whose body the program supplies."""
    for ending in ("", "\n    pass\n"):
        try:
            code = compile(prompt + ending, "<prompt>", "exec", dont_inherit=True)
        except SyntaxError:
            continue
        exec(code, names)
        return
