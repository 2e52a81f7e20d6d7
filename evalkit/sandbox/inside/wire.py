"""How the tester and the program talk: plain data over two pipes, so that no behaviour crosses, only values.

Numbers, texts, bytes, dates and containers are copied as exactly those types (`values.py`; an instance of a subclass as its
base); anything else stays where it is and is reached through a `Remote`, which compares by identity. An object whose `__eq__`
is always true therefore equals nothing on the other side. Within one call a container is one object on both sides: what is
changed, returned or stored is that object again.
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
from typing import Any

import values
from remote import Remote

LONGEST = 16 << 20  # bytes a message


class Lost(Exception):
    """The other side has ended, or does not keep to the protocol."""


class Peer:
    """One end of the conversation.

    Args:
        names: where the other side may look up names, and where its exceptions find their classes.
        open_all: serve attributes and items of objects too; the tester serves only calls and iteration.
    """

    def __init__(self, read: int, write: int, names: dict[str, Any], open_all: bool) -> None:
        self.read, self.write, self.names, self.open_all = read, write, names, open_all
        self.held: list[Any] = []
        self.places: dict[int, int] = {}  # id of what is held -> its place
        self.remotes: dict[int, Remote] = {}
        self.classes: dict[str, type[BaseException]] = {}
        self.shared: list[Any] = []  # the containers of the call that is being made or served, by number
        self.numbers: dict[int, int] = {}  # their ids -> numbers

    def call(self, target: int | str, args: tuple[Any, ...], kwargs: dict[str, Any], op: str = "call") -> Any:
        """Call the other side's object; containers it changed in place are changed here too."""
        kept = self.shared, self.numbers
        self.shared, self.numbers = [], {}
        try:
            packed = [self.pack(arg) for arg in args]
            reply = self._request({"op": op, "on": target, "args": packed, "kwargs": {k: self.pack(v) for k, v in kwargs.items()}})
            return self._outcome(reply)
        finally:
            self.shared, self.numbers = kept

    def _outcome(self, reply: dict[str, Any]) -> Any:
        try:
            changed = reply.get("changed") or {}
            # New containers within others' new items are read before anything refers to them by number.
            for place, content in changed.items():
                ((kind, items),) = content.items()
                values.fill(self.shared[int(place)], kind, items, self.unpack)
            if "raised" not in reply:
                return self.unpack(reply["ok"])
        except (LookupError, AttributeError) as error:
            raise Lost("the program broke the protocol") from error
        raise self._exception(reply["raised"])

    def ask(self, op: str, target: int | str, argument: Any = None) -> Any:
        kept = self.shared, self.numbers
        self.shared, self.numbers = [], {}
        try:
            return self._outcome(self._request({"op": op, "on": target, "args": [self.pack(argument)]}))
        finally:
            self.shared, self.numbers = kept

    def _request(self, message: dict[str, Any]) -> dict[str, Any]:
        self.send(message)
        while True:
            reply = self.receive()
            if "op" in reply:
                self.answer(reply)
            elif "raised" in reply or "ok" in reply:
                return reply
            else:
                raise Lost("the program broke the protocol")

    def answer(self, message: dict[str, Any]) -> None:
        """Serve one request of the other side."""
        kept = self.shared, self.numbers
        self.shared, self.numbers = [], {}
        try:
            self.send(self._reply(message))
        finally:
            self.shared, self.numbers = kept

    def _reply(self, message: dict[str, Any]) -> dict[str, Any]:
        before: list[Any] = []
        try:
            op, on = message["op"], message["on"]
            target = self._global(on) if isinstance(on, str) else self.held[on]
            args = [self.unpack(arg) for arg in message["args"]]
            kwargs = {name: self.unpack(value) for name, value in message.get("kwargs", {}).items()}
            before = [self._items(container) for container in self.shared]
            result = target if op == "global" else self._serve(op, target, args, kwargs)
            reply = {"changed": self._changed(before), "ok": self.pack(result)}
        except Lost:
            raise
        except BaseException as error:
            del self.shared[len(before) :]
            self.numbers = {id(container): number for number, container in enumerate(self.shared)}
            reply = {"changed": self._changed(before), "raised": self._raised(error)}
        return reply

    def _changed(self, before: list[Any]) -> dict[int, Any]:
        """The items now of the call's containers that were changed."""
        after = {place: self._items(self.shared[place]) for place in range(len(before))}
        return {place: items for place, items in after.items() if items != before[place]}

    def _items(self, container: Any) -> Any:
        return values.parts(container, type(container), self.pack)

    def _serve(self, op: str, target: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if op == "call":
            return target(*args, **kwargs)
        if op == "iter":
            return iter(target)
        if op == "next":
            return next(target)
        if not self.open_all:
            raise TypeError(f"{op} is not served")
        return {
            "len": lambda: len(target), "bool": lambda: bool(target), "str": lambda: str(target), "repr": lambda: repr(target),
            "item": lambda: target[args[0]], "attribute": lambda: getattr(target, args[0]), "set": lambda: setattr(target, *args[0]),
            "delete": lambda: delattr(target, args[0]), "enter": lambda: type(target).__enter__(target),
            "exit": lambda: type(target).__exit__(target, None, None, None),
        }[op]()  # fmt: skip

    def _global(self, name: str) -> Any:
        if not self.open_all or name not in self.names:
            raise NameError(f"name {name!r} is not defined")
        return self.names[name]

    def pack(self, value: Any) -> Any:
        """A value as JSON can carry it."""
        kind = type(value)
        if value is None or kind in (bool, str, float) or (kind is int and -(2**62) < value < 2**62):
            return value
        if kind is Remote and value._peer is self:
            return {"own": value._index}
        if kind in values.MUTABLE:
            if id(value) in self.numbers:
                return {"same": self.numbers[id(value)]}
            number = self._share(value)
            return {"new": [number, self._items(value)]}
        if (packed := values.simple(value, kind) or values.parts(value, kind, self.pack)) is not None:
            return packed
        if kind is types.ModuleType and self.open_all:
            return {"module": value.__name__}
        if self.open_all and isinstance(value, type) and BaseException in type.mro(value):
            return {"raises": [cls.__name__ for cls in value.__mro__[:-1]]}
        for base in values.BASES:
            if base in kind.__mro__:
                return self.pack(values.as_base(value, base))
        if id(value) not in self.places:
            self.places[id(value)] = len(self.held)
            self.held.append(value)
        return {"ref": self.places[id(value)]}

    def _share(self, container: Any) -> int:
        self.numbers[id(container)] = number = len(self.shared)
        self.shared.append(container)
        return number

    def unpack(self, value: Any) -> Any:
        """The value again; builds only the types listed, whatever the other side sent."""
        if not isinstance(value, dict):
            if isinstance(value, list):
                raise Lost("the program broke the protocol")
            return value
        (kind, content), *more = value.items()
        if more:
            raise Lost("the program broke the protocol")
        if kind == "new":
            ((name, items),) = content[1].items()
            container = values.empty(name, items, self.unpack)
            if self._share(container) != content[0]:
                raise Lost("the program broke the protocol")
            values.fill(container, name, items, self.unpack)
            return container
        if kind == "same":
            return self.shared[content]
        if kind in values.ITERABLE:
            return values.ITERABLE[kind]([self.unpack(item) for item in content])
        if kind == "range":
            return range(*map(self.unpack, content))
        if kind == "named":
            name, fields, items = content
            made: Any = collections.namedtuple(name, fields)  # type: ignore[misc]
            return made._make([self.unpack(item) for item in items])
        if kind == "ref":
            return self.remotes.setdefault(int(content), Remote(self, int(content)))
        if kind == "own":
            return self.names[content] if isinstance(content, str) and self.open_all else self.held[content]
        if kind == "module" and content in sys.stdlib_module_names:
            return importlib.import_module(content)
        if kind == "raises":
            return self._class(content)
        if kind == "type":
            return values.standard_type(content)
        if kind not in values.SIMPLE:
            raise Lost("the program broke the protocol")
        return values.SIMPLE[kind](content)

    def _class(self, names: list[str]) -> type[BaseException]:
        """The class of that name, else one that stands for it, derived from the nearest class known by name here."""
        for name in names:
            cls = self.classes.get(name) or self.names.get(name, getattr(builtins, str(name), None))
            if isinstance(cls, type) and issubclass(cls, BaseException):
                if name != names[0]:
                    cls = self.classes[names[0]] = type(names[0], (cls,), {"__init__": cls.__init__})
                return cls
        raise Lost("the program broke the protocol")

    def _raised(self, error: BaseException) -> dict[str, Any]:
        """As `describe`, with what the exception carries as far as it can be sent."""
        told = describe(error)
        try:
            given = [*error.args, *([error.filename] if isinstance(error, OSError) and error.filename and len(error.args) == 2 else [])]
            told |= {"args": [self.pack(one) for one in given], "with": {name: self.pack(one) for name, one in vars(error).items()}}
        except Exception:
            told |= {"args": None, "with": {}}
        return told

    def _exception(self, raised: Any) -> BaseException:
        """The exception raised over there: its class as far as known here, its arguments and attributes."""
        text, names = str(raised["text"])[:2000], raised["types"]
        given = [(text,)]
        if isinstance(raised.get("args"), list):
            given.insert(0, tuple(self.unpack(one) for one in raised["args"]))
        carried = {str(name): self.unpack(one) for name, one in (raised.get("with") or {}).items()}
        for args, start in ((args, start) for start in range(len(names)) for args in given):
            cls = self._class(names[start:])
            try:
                error = cls(*args)
                if str(error) != text and args is not given[-1]:
                    error = type(cls.__name__, (cls,), {"__str__": lambda _: text})(*args)
                error.__dict__.update(carried)
            except Exception:
                continue
            error.far = {name: raised.get(name) for name in ("types", "text", "where", "line")}  # type: ignore[attr-defined]
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
