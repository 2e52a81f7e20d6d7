"""How the tester and the program talk: plain data over two pipes, so that no behaviour crosses, only values.

Numbers, texts, bytes and containers are copied as exactly those types (an instance of a subclass as its base); anything
else stays where it is and is reached through a `Remote`, which compares by identity. An object whose `__eq__` is always
true therefore equals nothing on the other side.
"""

from __future__ import annotations

import builtins
import collections
import importlib
import json
import os
import struct
import sys
import types
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

LONGEST = 16 << 20  # bytes a message
ITERABLE: dict[str, Callable[[Any], Any]] = {
    "list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "deque": collections.deque,
    "keys": lambda items: dict.fromkeys(items).keys(),
}  # fmt: skip
BASES = (int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, collections.deque, dict)
MUTABLE = (list, dict, set, bytearray, collections.deque)


class Lost(Exception):
    """The other side has ended, or does not keep to the protocol."""


class Remote:
    """An object that lives on the other side. Never asked to compare, hash or compute: only to be called and looked into."""

    __slots__ = ("_index", "_peer")

    def __init__(self, peer: Peer, index: int | str) -> None:
        self._peer, self._index = peer, index

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._peer.call(self._index, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._peer.ask("attribute", self._index, name)

    def __iter__(self) -> Any:
        return self._peer.ask("iter", self._index)

    def __next__(self) -> Any:
        return self._peer.ask("next", self._index)

    def __len__(self) -> int:
        length = self._peer.ask("len", self._index)
        if type(length) is not int:
            raise TypeError("the program's object has no length")
        return length

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: Any) -> Any:
        return self._peer.ask("item", self._index, key)


class Peer:
    """One end of the conversation.

    Args:
        names: where the other side may look up names, and where its exceptions find their classes.
        open_all: serve attributes and items of objects too; the tester serves only calls and iteration.
    """

    def __init__(self, read: int, write: int, names: dict[str, Any], open_all: bool) -> None:
        self.read, self.write, self.names, self.open_all = read, write, names, open_all
        self.held: list[Any] = []

    def call(self, target: int | str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the other side's object; containers it changed in place are changed here too."""
        packed = [self.pack(arg) for arg in args]
        reply = self._request({"op": "call", "on": target, "args": packed, "kwargs": {k: self.pack(v) for k, v in kwargs.items()}})
        for place, value in (reply.get("changed") or {}).items():
            _refill(args[int(place)], self.unpack(value))
        return self.unpack(reply["ok"])

    def ask(self, op: str, target: int | str, argument: Any = None) -> Any:
        return self.unpack(self._request({"op": op, "on": target, "args": [self.pack(argument)]})["ok"])

    def _request(self, message: dict[str, Any]) -> dict[str, Any]:
        self.send(message)
        while True:
            reply = self.receive()
            if "op" in reply:
                self.answer(reply)
            elif "raised" in reply:
                raise self._exception(reply["raised"])
            elif "ok" in reply:
                return reply
            else:
                raise Lost("the program broke the protocol")

    def answer(self, message: dict[str, Any]) -> None:
        """Serve one request of the other side."""
        try:
            reply = self._serve(message)
        except Lost:
            raise
        except BaseException as error:
            reply = {"raised": describe(error)}
        self.send(reply)

    def _serve(self, message: dict[str, Any]) -> dict[str, Any]:
        op, on = message["op"], message["on"]
        if op == "global":
            return {"ok": self.pack(self._global(on))}
        target = self._global(on) if isinstance(on, str) else self.held[on]
        args = [self.unpack(arg) for arg in message["args"]]
        if op == "call":
            result = target(*args, **{name: self.unpack(value) for name, value in message["kwargs"].items()})
            after = {place: self.pack(arg) for place, arg in enumerate(args) if type(arg) in MUTABLE}
            return {"ok": self.pack(result), "changed": {p: v for p, v in after.items() if v != message["args"][p]}}
        if op == "iter":
            return {"ok": self.pack(iter(target))}
        if op == "next":
            return {"ok": self.pack(next(target))}
        if op == "len" and self.open_all:
            return {"ok": len(target)}
        if op == "item" and self.open_all:
            return {"ok": self.pack(target[args[0]])}
        if op == "attribute" and self.open_all:
            return {"ok": self.pack(getattr(target, args[0]))}
        raise TypeError(f"{op} is not served")

    def _global(self, name: str) -> Any:
        if not self.open_all or name not in self.names:
            raise NameError(f"name {name!r} is not defined")
        return self.names[name]

    def pack(self, value: Any) -> Any:
        """A value as JSON can carry it."""
        kind = type(value)
        if value is None or kind in (bool, str, float):
            return value
        if kind is int:
            return value if -(2**62) < value < 2**62 else {"int": hex(value)}
        if kind is Remote and value._peer is self:
            return {"own": value._index}
        if kind in (list, tuple, set, frozenset, collections.deque):
            return {kind.__name__: [self.pack(item) for item in kind.__iter__(value)]}
        if kind is dict:
            return {"dict": [[self.pack(k), self.pack(v)] for k, v in dict.items(value)]}
        if kind is type({}.keys()):
            return {"keys": [self.pack(item) for item in value]}
        if kind in (bytes, bytearray):
            return {kind.__name__: value.hex()}
        if kind is complex:
            return {"complex": [value.real, value.imag]}
        if kind is range:
            return {"range": [self.pack(part) for part in (value.start, value.stop, value.step)]}
        if kind in (Fraction, Decimal):
            return {kind.__name__: str(value)}
        if kind is types.ModuleType and self.open_all:
            return {"module": value.__name__}
        for base in BASES:
            if base in kind.__mro__:
                return self.pack(_as_base(value, base))
        self.held.append(value)
        return {"ref": len(self.held) - 1}

    def unpack(self, value: Any) -> Any:
        """The value again; builds only the types listed here, whatever the other side sent."""
        if not isinstance(value, dict):
            if isinstance(value, list):
                raise Lost("the program broke the protocol")
            return value
        (kind, content), *more = value.items()
        if more:
            raise Lost("the program broke the protocol")
        if kind in ITERABLE:
            return ITERABLE[kind]([self.unpack(item) for item in content])
        if kind == "dict":
            return {self.unpack(k): self.unpack(v) for k, v in content}
        if kind == "ref":
            return Remote(self, int(content))
        if kind == "own":
            return self.names[content] if isinstance(content, str) and self.open_all else self.held[content]
        if kind == "module" and content in sys.stdlib_module_names:
            return importlib.import_module(content)
        simple: dict[str, Callable[[Any], Any]] = {
            "int": lambda text: int(text, 16), "bytes": bytes.fromhex, "bytearray": bytearray.fromhex,
            "complex": lambda parts: complex(*parts), "range": lambda parts: range(*map(self.unpack, parts)),
            "Fraction": Fraction, "Decimal": Decimal,
        }  # fmt: skip
        if kind not in simple:
            raise Lost("the program broke the protocol")
        return simple[kind](content)

    def _exception(self, raised: Any) -> BaseException:
        """The exception raised over there, as the nearest class known by name here."""
        names, text = raised["types"], str(raised["text"])[:2000]
        for name in names:
            cls = self.names.get(name, getattr(builtins, str(name), None))
            if isinstance(cls, type) and issubclass(cls, BaseException):
                try:
                    error = cls(text)
                except Exception:
                    continue
                error.far = raised  # type: ignore[attr-defined]
                return error
        return Lost("the program broke the protocol")

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode()
        if len(data) > LONGEST:
            raise ValueError(f"a value of {len(data)} bytes is too large to hand over")
        view = memoryview(struct.pack("!I", len(data)) + data)
        try:
            while view:
                view = view[os.write(self.write, view) :]
        except OSError as error:
            raise Lost("the program has ended") from error

    def receive(self) -> dict[str, Any]:
        (length,) = struct.unpack("!I", self._exactly(4))
        if length > LONGEST:
            raise Lost("the program broke the protocol")
        try:
            message = json.loads(self._exactly(length))
        except (ValueError, RecursionError) as error:
            raise Lost("the program broke the protocol") from error
        if not isinstance(message, dict):
            raise Lost("the program broke the protocol")
        return message

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            part = os.read(self.read, min(count, 1 << 20))
            if not part:
                raise Lost("the program has ended")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as plain data: names of its classes, its text, and where it left the untrusted or test code."""
    try:
        text = str(error)
    except BaseException as worse:
        text = f"(its text cannot be had: {type(worse).__name__})"
    line, trace = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None, error.__traceback__
    where = getattr(error, "filename", None) if isinstance(error, SyntaxError) else None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in ("<program>", "<test>"):
            where, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return {"types": [cls.__name__ for cls in type(error).__mro__[:-1]], "text": text[:2000], "where": where, "line": line}


def _as_base(value: Any, base: Any) -> Any:
    if base in (int, float, complex):
        return base.__pos__(value)
    if base is str:
        return str.__str__(value)
    if base is dict:
        return dict(dict.items(value))
    return base(base.__iter__(value))


def _refill(target: Any, value: Any) -> None:
    """Make a container equal to `value`, in place."""
    if type(target) is not type(value) or type(target) not in MUTABLE:
        return
    if isinstance(target, (list, bytearray)):
        target[:] = value
    else:
        target.clear()
        (target.extend if isinstance(target, collections.deque) else target.update)(value)
