"""How the tester and the program talk: plain data over two pipes, so that no behaviour crosses, only values.

Numbers, texts, bytes, dates and containers are copied as exactly those types (`values.py`); anything else stays where it is
and is reached through a `Held` (`remote.py`), which no plain value equals. An object whose `__eq__` is always true therefore
equals nothing on the other side. A container that both sides keep is one object on both: what is changed, returned or stored
is that object again, also in later calls.
"""

from __future__ import annotations

import builtins
import collections
import copy
import enum
import importlib
import inspect
import json
import operator
import os
import struct
import sys
import types
import zlib
from _thread import RLock
from collections.abc import Callable
from typing import Any

import mirrors
import values
from remote import Function, Held, Remote

EMPTY = inspect.Parameter.empty
LONGEST = 16 << 20  # bytes a message
KEPT_ITEMS = 500  # containers with more items are one object within a call, not across calls
KEPT_CONTAINERS = 100
CHAIN = 8  # exceptions behind an exception

OPERATORS: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, f"__{name}__") for name in mirrors.BINARY if name != "divmod"},
    **{f"i{name}": getattr(operator, f"__i{name}__") for name in mirrors.BINARY if name != "divmod"},
    **{name: getattr(operator, name) for name in mirrors.COMPARED},
    **{name: getattr(operator, f"__{name}__") for name in ("neg", "pos", "invert", "abs", "index")},
    "divmod": divmod, "round": round, "int": int, "float": float, "complex": complex, "contains": operator.contains,
    "trunc": lambda value: type(value).__trunc__(value), "floor": lambda value: type(value).__floor__(value),
    "ceil": lambda value: type(value).__ceil__(value),
}  # fmt: skip


class Lost(Exception):
    """The other side has ended, or does not keep to the protocol."""


class Peer:
    """One end of the conversation.

    Args:
        names: where the other side may look up names, and where its exceptions find their classes.
        open_all: serve everything of every object; the tester serves calls, iteration, and what objects of the test's own
            classes hold.
    """

    def __init__(self, read: int, write: int, names: dict[str, Any], open_all: bool) -> None:
        self.read, self.write, self.names, self.open_all = read, write, names, open_all
        self.held: list[Any] = []
        self.places: dict[int, int] = {}  # id of what is held -> its place
        self.remotes: dict[int, Any] = {}
        self.stands_for: dict[int, tuple[int, Any]] = {}  # id of a local object -> what it stands for over there, itself
        self.classes: dict[tuple[str, str], Any] = {}
        self.described: dict[int, dict[str, Any]] = {}  # classes of the program, by place
        self.mirrored: dict[int, Any] = {}  # the classes that stand for them
        self.new_classes: dict[int, Any] = {}
        self.own: dict[type, bool] = {}
        self.shared: dict[int, Any] = {}  # containers that both sides know, by number
        self.numbers: dict[int, int] = {}  # their ids -> numbers
        self.items: dict[int, Any] = {}  # what was last said of their items
        self.leaving: dict[int, Any] = {}  # changes of containers that may be forgotten before they are sent
        self.dropped: list[int] = []
        self.next_number = 0 if open_all else 1
        self.depth = 0
        self.turn = RLock()  # threads that ask take turns: the conversation is one
        self.broken = ""  # why nothing that the test says counts any more
        self.tainted: dict[int, bool] = {}  # objects computed with plain values; whether they are differences
        self.words: dict[str, list[int]] = {}  # "line operator" -> what the program said of its own objects
        self.say: Callable[[], dict[str, Any]] = dict  # what goes along with each message
        self.name: Callable[[str], None] = lambda text: None  # hears of texts that may be paths
        self.hear: Callable[[dict[str, Any]], None] = lambda message: None

    # Asking

    def call(self, target: int | str, args: tuple[Any, ...], kwargs: dict[str, Any], op: str = "call") -> Any:
        """Call the other side's object."""
        return self._request(op, target, args, kwargs)

    def ask(self, op: str, target: int | str, argument: Any = None) -> Any:
        return self._request(op, target, (argument,), {})

    def _request(self, op: str, target: int | str | None, args: Any, kwargs: dict[str, Any]) -> Any:
        self.turn.acquire()
        try:
            return self._asked(op, target, args, kwargs)
        finally:
            self.turn.release()

    def _asked(self, op: str, target: int | str | None, args: Any, kwargs: dict[str, Any]) -> Any:
        if self.depth == 0 and self.shared:
            self.leaving = self._changes()
            self._forget()
        self.depth += 1
        try:
            packed = [self.pack(arg) for arg in args]
            named = {name: self.pack(value) for name, value in kwargs.items()}
            self.send({"op": op, "on": target, "args": packed, "kwargs": named})
            while True:
                reply = self.receive()
                if "op" in reply:
                    self.answer(reply)
                elif "raised" in reply:
                    error = self._exception(reply["raised"])
                    self._drop(reply.get("dropped", []))
                    raise error
                elif "ok" in reply:
                    found = self.unpack(reply["ok"])
                    self._drop(reply.get("dropped", []))
                    if self.tainted:
                        self._follow(target, args, found)
                    return found
                else:
                    raise self.lost()
        except (LookupError, AttributeError) as error:
            if error.__dict__.get("far") is not None:
                raise
            raise self.lost() from error
        finally:
            self.depth -= 1

    def lost(self, why: str = "the program broke the protocol") -> Lost:
        self.broken = self.broken or why
        return Lost(why)

    def operate(self, name: str, *operands: Any) -> Any:
        """An operator, where one operand at least is the program's own object. A yes about its own objects is noted."""
        found = self._request("operate", name, operands, {})
        if name in mirrors.COMPARED or name == "contains":
            if type(found) is not bool:
                raise TypeError(f"{name} of the program's objects is no bool")
            self._note(name, found)
        elif name in mirrors.RESIDUAL and not all(map(mirrors.far, operands)):
            if not mirrors.opaque(found):
                raise self.lost("the difference of the program's object from a plain value is the program's own word")
            self.tainted[found._far_index] = self.tainted.get(found._far_index, False) or name in mirrors.DIFFERENCES
        return found

    def _follow(self, target: Any, operands: Any, found: Any) -> None:
        """What is learned of an object that was computed with a plain value, perhaps the very one that the test expects.

        Of a difference nothing plain may be learned: it would say how far off the object is. What is learned of a quotient
        has to depend on the test's values, as the program's word about its own objects has.
        """
        known = [one._far_index for one in operands if mirrors.far(one)] + ([target] if type(target) is int else [])
        if not (known := [self.tainted[one] for one in known if one in self.tainted]) or found is None:
            return
        if mirrors.opaque(found):
            self.tainted[found._far_index] = self.tainted.get(found._far_index, False) or any(known)
        elif any(known):
            raise self.lost("the difference of the program's object from a plain value is the program's own word")
        else:
            self._note("of", zlib.crc32(repr(found).encode(errors="replace")))

    def _note(self, name: str, found: int) -> None:
        frame = sys._getframe(2)
        while frame is not None and frame.f_code.co_filename != "<test>":
            frame = frame.f_back  # type: ignore[assignment]
        self.words.setdefault(f"{frame.f_lineno if frame else 0} {name}", []).append(found)

    def leave(self, index: int, error: BaseException | None) -> bool:
        """Leave a context. What the test raises by itself may be swallowed, as Python has it; what may be its verdict never is."""
        given = () if error is None else (error,)
        swallowed = self.call(index, given, {}, "exit")
        return bool(swallowed is True and error is not None and self.plainly_raised(error))

    plainly_raised: Callable[[BaseException], bool] = staticmethod(lambda error: True)

    def signature(self, index: int) -> inspect.Signature | None:
        """Of a function or class over there: names, kinds and plain defaults."""
        told = self.ask("signature", index)
        if told is None:
            raise AttributeError("__signature__")
        kinds = list(inspect._ParameterKind)
        return inspect.Signature(
            [
                inspect.Parameter(name, kinds[kind], default=default if has else EMPTY, annotation=note if noted else EMPTY)
                for name, kind, has, default, noted, note in told
            ]
        )

    # Answering

    def answer(self, message: dict[str, Any]) -> None:
        """Serve one request of the other side."""
        self.depth += 1
        try:
            reply: dict[str, Any]
            args, kwargs = [], {}
            try:
                op, on = message["op"], message["on"]
                self._drop(message.get("dropped", []))
                args = [self.unpack(arg) for arg in message["args"]]
                kwargs = {name: self.unpack(value) for name, value in message.get("kwargs", {}).items()}
                reply = {"ok": self.pack(self._serve(op, on, args, kwargs))}
            except Lost:
                raise
            except BaseException as error:
                reply = {"raised": self._raised(error)}
            message, args, kwargs = {}, [], {}
            self.send(reply)
        finally:
            self.depth -= 1

    def _serve(self, op: str, on: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if op == "operate" and self.open_all:
            return OPERATORS[on](*args)
        if op == "input" and not self.open_all:
            return getattr(builtins if on == "input" else sys.stdin, {"input": "input", "line": "readline", "all": "read"}[on])(*args)
        if op == "subclass" and self.open_all:
            return self._hold(mirrors.derived(*args[0]))
        target = self._global(on) if isinstance(on, str) else self.held[on]
        if op == "call":
            return target(*args, **kwargs)
        if op == "iter":
            return iter(target)
        if op == "next":
            return next(target)
        if not (self.open_all or serves(target, op, args)):
            raise TypeError(f"{op} is not served")
        return SERVED[op](target, *args)

    def _global(self, name: str) -> Any:
        if not self.open_all or name not in self.names:
            raise NameError(f"name {name!r} is not defined")
        return self.names[name]

    # Values

    def pack(self, value: Any) -> Any:
        """A value as JSON can carry it."""
        kind = type(value)
        if kind is str:
            if "/" in value or "." in value:
                self.name(value)
            return value
        if value is None or kind in (bool, float) or (kind is int and -(2**62) < value < 2**62):
            return value
        if kind in values.MUTABLE:
            return self._share(value)
        if not self.open_all:
            if issubclass(kind, Held):
                return {"own": value._far_index}
            if (place := self._place(value, kind)) is not None:
                return place
        elif kind in (Remote, Function) and value._far_peer is self:
            return {"own": value._far_index}
        if kind.__name__ == "PosixPath":
            self.name(str(value))
        if (packed := values.simple(value, kind) or values.parts(value, kind, self.pack)) is not None:
            return packed
        if self.open_all:
            if (packed := self._pack_own(value, kind)) is not None:
                return packed
        elif isinstance(value, BaseException):
            return {"error": [self._hold(value), self._raised(value)]}
        if not self._is_own(kind):
            for base in values.BASES:
                if base in kind.__mro__:
                    return self.pack(values.as_base(value, base))
        return {"function" if kind is types.FunctionType else "ref": self._hold(value)}

    def _place(self, value: Any, kind: Any) -> Any:
        """In the test's process: where what a local object stands for lies."""
        if isinstance(value, mirrors.Kind):
            return {"own": value.__mirrored__[1]}
        if isinstance(kind, mirrors.Kind):
            return {"own": value._far_index}
        if (known := self.stands_for.get(id(value))) is not None and known[1] is value:
            return {"own": known[0]}
        if (known := self.stands_for.get(id(kind))) is not None and known[1] is kind:
            return {"flag": [known[0], self.pack(value._value_)]}
        return None

    def _pack_own(self, value: Any, kind: Any) -> Any:
        """In the program's process: what is neither plain data nor a container of Python's."""
        if kind is types.ModuleType:
            return {"module": value.__name__}
        if isinstance(value, type):
            if BaseException in type.mro(value):
                return {"raises": self._line(value)}
            return self._pack_class(value) if self._is_own(value) else None
        if isinstance(value, BaseException):
            return {"error": [self._hold(value), self._raised(value)]}
        if kind in (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType):
            return {kind.__name__: self._hold(value)}
        if not self._is_own(kind):
            fields = vars(kind).get("_fields")
            if kind.__mro__[1:] == (tuple, object) and type(fields) is tuple:
                return {"named": [kind.__name__, list(fields), [self.pack(item) for item in tuple.__iter__(value)]]}
            return None
        packed = self._pack_class(kind)
        told = self.described[self.places[id(kind)]]
        if "enum" in told:
            member = kind.__members__.get(value._name_)
            return {"flag": [packed, self.pack(value._value_)]} if member is not value else {"member": [packed, value._name_]}
        base = mirrors.BASES.get(told.get("base", ""))
        return {"thing": [self._hold(value), packed, None if base is None else self.pack(values.as_base(value, base))]}

    def _pack_class(self, cls: Any) -> Any:
        place = self._hold(cls)
        if place not in self.described:
            self.described[place] = {}
            self.described[place] = self.new_classes[place] = mirrors.describe_class(cls, self.pack, self._hold)
        return {"class": place}

    def _is_own(self, kind: Any) -> bool:
        found = self.own.get(kind)
        if found is None:
            found = self.own[kind] = self.open_all and mirrors.is_own(kind)
        return found

    def _hold(self, value: Any) -> int:
        if id(value) not in self.places:
            self.places[id(value)] = len(self.held)
            self.held.append(value)
        return self.places[id(value)]

    def unpack(self, value: Any) -> Any:
        """The value again; builds only the types listed, whatever the other side sent."""
        if not isinstance(value, dict):
            if isinstance(value, list):
                raise self.lost()
            return value
        (kind, content), *more = value.items()
        if more:
            raise self.lost()
        if kind == "shared":
            return self.shared[content]
        if kind in values.ITERABLE:
            return values.ITERABLE[kind]([self.unpack(item) for item in content])
        if kind == "range":
            return range(*map(self.unpack, content))
        if kind == "named":
            made: Any = collections.namedtuple(content[0], content[1])  # type: ignore[misc]
            return made._make([self.unpack(item) for item in content[2]])
        if kind == "view":
            return getattr(dict, {"keys": "keys", "items": "items"}.get(content[0], "values"))(self.unpack(content[1]))
        if kind == "ref":
            return self.remotes.setdefault(int(content), Remote(self, int(content)))
        if kind == "function":
            return self.remotes.setdefault(int(content), Function(self, int(content)))
        if kind == "own":
            return self.names[content] if isinstance(content, str) and self.open_all else self.held[content]
        if kind == "module" and content in sys.stdlib_module_names:
            return importlib.import_module(content)
        if kind == "raises":
            return self._class(content)
        if kind == "error":
            place, raised = content
            if place not in self.remotes:
                self.remotes[place] = self._exception(raised)
                self.stands_for[id(self.remotes[place])] = (place, self.remotes[place])
            return self.remotes[place]
        if kind == "type":
            return values.standard_type(content)
        if kind == "flag" and self.open_all:
            return self.held[content[0]](self.unpack(content[1]))
        if not self.open_all and kind in ("class", "thing", "member", "flag", *mirrors.LAZY):
            return self._unpack_own(kind, content)
        if kind not in values.SIMPLE:
            raise self.lost()
        return values.SIMPLE[kind](content)

    def _unpack_own(self, kind: str, content: Any) -> Any:
        """In the test's process: something that stands for the program's object."""
        if kind == "class":
            place = int(content)
            if place not in self.mirrored:
                told = self.described[place]
                try:
                    self.mirrored[place] = mirrors.mirror(self, place, told, [self.unpack(base) for base in told["bases"]])
                except (TypeError, ValueError, LookupError, AttributeError) as error:
                    raise self.lost(f"a class of the program that cannot be had in another process: {error}") from error
            return self.mirrored[place]
        if kind in ("member", "flag"):
            made = self.unpack({"class": content[0]["class"]})
            if not isinstance(made, enum.EnumMeta):
                raise self.lost()
            return made[content[1]] if kind == "member" else made(self.unpack(content[1]))
        place = int(content[0] if kind == "thing" else content)
        if place in self.remotes:
            return self.remotes[place]
        if kind == "thing":
            made = self.unpack({"class": content[1]["class"]})
            if not isinstance(made, mirrors.Kind):
                raise self.lost()
            if content[2] is None:
                one = object.__new__(made) if not issubclass(made, tuple(mirrors.MUTABLE.values())) else made.__base_of__.__new__(made)
            else:
                base = next(base for base in mirrors.BASES.values() if issubclass(made, base))
                one = base.__new__(made, self.unpack(content[2]))
            object.__setattr__(one, "_far_peer", self)
            object.__setattr__(one, "_far_index", place)
        else:
            one = mirrors.LAZY[kind](self, place)
            self.stands_for[id(one)] = (place, one)
        self.remotes[place] = one
        return one

    # Containers

    def _share(self, container: Any) -> Any:
        number = self.numbers.get(id(container))
        if number is None:
            self.next_number += 2
            number = self.next_number
            self.shared[number] = container
            self.numbers[id(container)] = number
        return {"shared": number}

    def _changes(self) -> dict[int, Any]:
        """The items of containers that were changed since the other side last heard of them; packing may add containers."""
        told: dict[int, Any] = {}
        for number in (seen := list(self.shared)):
            items = values.parts(self.shared[number], type(self.shared[number]), self.pack)
            if items != self.items.get(number):
                self.items[number] = told[number] = items
            if len(self.shared) > len(seen):
                seen.extend(list(self.shared)[len(seen) :])
        return told

    def _take_changes(self, changed: dict[str, Any]) -> None:
        packed = [(int(number), *content.items()) for number, content in changed.items()]
        for number, (kind, items) in packed:
            if number not in self.shared:
                self.shared[number] = container = values.empty(kind, items, self.unpack)
                self.numbers[id(container)] = number
        for number, (kind, items) in packed:
            values.fill(self.shared[number], kind, items, self.unpack)
        for number, _ in packed:
            self.items[number] = values.parts(self.shared[number], type(self.shared[number]), self.pack)

    def _forget(self) -> None:
        """Containers that this side no longer has, or that are too many to be kept the same, are no longer shared."""
        gone = list(self.shared) if len(self.shared) > KEPT_CONTAINERS else []
        while gone := gone or [n for n in self.shared if sys.getrefcount(self.shared[n]) <= 2 or values.size(self.shared[n]) > KEPT_ITEMS]:
            self._drop(gone)
            self.dropped += gone
            gone = []

    def _drop(self, numbers: list[int]) -> None:
        for number in numbers:
            if number in self.shared:
                del self.numbers[id(self.shared[number])]
                del self.shared[number]
                self.items.pop(number, None)

    # Exceptions

    def _class(self, line: list[list[Any]], place: int = 0) -> type[BaseException]:
        """The class of that name, else one that stands for it, derived from those that it is derived from over there.

        Args:
            line: the class and those it is derived from, in order: name, module, places of the direct bases in the list.
        """
        name, module, bases = str(line[place][0]), str(line[place][1]), line[place][2]
        cls: Any = self.classes.get((name, module)) or self._known_class(name, module)
        if cls is None:
            below = tuple(self._class(line, base) for base in bases if base > place)
            names = {"__module__": "program", "__far__": (self, line[place][3] if len(line[place]) > 3 else None)}
            cls = self.classes[name, module] = mirrors.Raised(name, below, names | mirrors.RAISED)
        if not (isinstance(cls, type) and issubclass(cls, BaseException)):
            raise self.lost()
        return cls

    def _known_class(self, name: str, module: str) -> Any:
        if not self.open_all and (module.partition(".")[0] in ("unittest", "doctest", "bdb") or module.startswith("test.")):
            raise self.lost("the program raises what steers the test")
        if module in sys.stdlib_module_names or module.partition(".")[0] in sys.stdlib_module_names:
            return vars(sys.modules[module]).get(name) if module in sys.modules else None
        found = dict.get(self.names, name)
        return found if getattr(found, "__module__", None) == "test" else None

    def _raised(self, error: BaseException, depth: int = 0) -> dict[str, Any]:
        """As `describe`, with what the exception carries as far as it can be sent."""
        told = describe(error) | {"line": self._line(type(error))}
        kept = len(self.shared)
        try:
            given = [*error.args, *([error.filename] if isinstance(error, OSError) and error.filename and len(error.args) == 2 else [])]
            told |= {"args": [self.pack(one) for one in given], "with": {name: self.pack(one) for name, one in vars(error).items()}}
            if self._is_own(type(error)):
                told["at"] = self._hold(error)
            if depth < CHAIN:
                for name in ("__cause__", "__context__"):
                    if (behind := getattr(error, name)) is not None:
                        told[name] = self._raised(behind, depth + 1)
                told["__suppress_context__"] = error.__suppress_context__
        except Exception:
            for number in list(self.shared)[kept:]:
                self._drop([number])
            told |= {"args": None, "with": {}}
        return told

    def _exception(self, raised: Any) -> BaseException:
        """The exception raised over there: its class as far as known here, its arguments and attributes."""
        text = str(raised["text"])[:2000]
        line = raised["line"]
        given = [(text,)]
        if isinstance(raised.get("args"), list):
            given.insert(0, tuple(self.unpack(one) for one in raised["args"]))
        carried = {str(name): self.unpack(one) for name, one in (raised.get("with") or {}).items()}
        for args, start in ((args, start) for start in range(len(line)) for args in given):
            cls = self._class(line, start)
            try:
                if isinstance(cls, mirrors.Raised):
                    error = cls.__new__(cls, *args)
                    error.__dict__.update({"_far_text": text, "_far_at": raised.get("at")})
                else:
                    try:
                        error = cls(*args)
                    except TypeError:  # its constructor takes something else than what it keeps
                        error = cls.__new__(cls, *args)
                    if str(error) != text and args is not given[-1]:
                        error = type(cls.__name__, (cls,), {"__str__": lambda _: text, "__module__": cls.__module__})(*args)
                error.__dict__.update(carried)
            except Lost:
                raise
            except Exception:
                continue
            error.far = {name: raised.get(name) for name in ("types", "text", "where", "line")}
            for name in ("__cause__", "__context__"):
                if isinstance(raised.get(name), dict):
                    setattr(error, name, self._exception(raised[name]))
            error.__suppress_context__ = bool(raised.get("__suppress_context__"))
            return error
        raise self.lost()

    def _line(self, cls: Any) -> list[list[Any]]:
        """An exception's class and those it is derived from: name, module, places of its direct bases here, and where it is held."""
        line = [one for one in type.mro(cls) if BaseException in type.mro(one)]
        return [
            [
                one.__name__,
                str(one.__module__),
                [line.index(base) for base in one.__bases__ if base in line],
                self._hold(one) if self._is_own(one) else None,
            ]
            for one in line
        ]

    # The pipes

    def send(self, message: dict[str, Any]) -> None:
        changed, self.leaving = self.leaving | (self._changes() if self.shared else {}), {}
        message |= self.say()
        if self.shared:
            changed |= self._changes()
        if changed:
            message["changed"] = changed
        if self.open_all and self.depth == 1 and "op" not in message:
            self._forget()
        if self.new_classes:
            message["classes"], self.new_classes = self.new_classes, {}
        if self.dropped:
            message["dropped"], self.dropped = self.dropped, []
        data = json.dumps(message).encode()
        if len(data) > LONGEST:
            raise ValueError(f"a value of {len(data)} bytes is too large to hand over")
        view = memoryview(struct.pack("!I", len(data)) + data)
        try:
            while view:
                view = view[os.write(self.write, view) :]
        except OSError as error:
            raise self.lost("the program has ended") from error

    def receive(self) -> dict[str, Any]:
        (length,) = struct.unpack("!I", self._exactly(4))
        if length > LONGEST:
            raise self.lost()
        try:
            message = json.loads(self._exactly(length))
        except (ValueError, RecursionError) as error:
            raise self.lost() from error
        if not isinstance(message, dict):
            raise self.lost()
        try:
            for place, told in message.get("classes", {}).items():
                self.described.setdefault(int(place), told)
            if "changed" in message:
                self._take_changes(message["changed"])
        except (LookupError, AttributeError, TypeError, ValueError) as error:
            raise self.lost() from error
        self.hear(message)
        return message

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            part = os.read(self.read, min(count, 1 << 20))
            if not part:
                raise self.lost("the program has ended")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


OF_MOCKS = ("assert", "call", "mock", "method_calls", "return_value", "side_effect", "reset", "configure", "attach")


def serves(target: Any, op: str, args: list[Any]) -> bool:
    """Whether the test's process serves the program more of an object than a call: objects of the test's own classes and
    text streams it was handed, without what begins with an underscore and without changing what their class does."""
    kind = type(target)
    named = op in ("attribute", "set", "delete")
    name = str(args[0][0] if op == "set" else args[0]) if named else ""
    if op in ("bool", "copy"):
        return True
    if kind is types.FunctionType or kind is type:
        return op == "str" or (op == "attribute" and name in ("__name__", "__qualname__", "__doc__"))
    if name.startswith("_"):
        return False
    if kind.__module__ == "_io":
        return op in ("attribute", "enter", "exit")
    if kind.__module__ == "unittest.mock":
        return op in ("enter", "exit", "len", "item") or (op == "attribute" and not name.startswith(OF_MOCKS))
    if kind.__module__ != "test":
        return False
    return op == "attribute" or not callable(getattr(kind, name, None)) if named else True


def _await(value: Any) -> Any:
    """Run a coroutine to its end, in one loop for all."""
    import asyncio

    if not _RUNNERS:
        _RUNNERS.append(asyncio.Runner())

    async def wait() -> Any:
        return await value

    return _RUNNERS[0].run(wait())


_RUNNERS: list[Any] = []


def _exit(target: Any, error: BaseException | None = None) -> Any:
    return type(target).__exit__(target, None if error is None else type(error), error, None)


def _signature(target: Any) -> Any:
    try:
        found = inspect.signature(target)
    except (TypeError, ValueError):
        return None
    return [
        (one.name, int(one.kind), one.default is not EMPTY, None if one.default is EMPTY else one.default,
         one.annotation is not EMPTY, None if one.annotation is EMPTY else one.annotation)
        for one in found.parameters.values()
    ]  # fmt: skip


def _base(target: Any) -> Any:
    for base in values.BASES:
        if base in type(target).__mro__:
            return values.as_base(target, base)
    raise TypeError("no container")


def _super(target: Any, asked: Any) -> Any:
    owner, name = asked
    found = vars(owner)[name]
    return found.__get__(target, type(target)) if hasattr(type(found), "__get__") else found


SERVED: dict[str, Callable[..., Any]] = {
    "global": lambda target, _: target, "super": _super, "isinstance": lambda target, value: isinstance(value, target),
    "len": lambda target, _: len(target), "bool": lambda target, _: bool(target), "str": lambda target, _: str(target),
    "repr": lambda target, _: repr(target), "hash": lambda target, _: hash(target), "format": format,
    "item": lambda target, key: target[key], "put": lambda target, pair: operator.setitem(target, *pair), "drop": operator.delitem,
    "attribute": getattr, "set": lambda target, pair: setattr(target, *pair), "delete": delattr, "vars": lambda target, _: vars(target),
    "reversed": lambda target, _: reversed(target), "copy": lambda target, _: copy.copy(target),
    "deepcopy": lambda target, _: copy.deepcopy(target), "enter": lambda target: type(target).__enter__(target), "exit": _exit,
    "signature": lambda target, _: _signature(target), "base": lambda target, _: _base(target),
    "send": lambda target, value: target.send(value), "throw": lambda target, error: target.throw(error),
    "close": lambda target, _: target.close(), "await": lambda target, _: _await(target),
    "anext": lambda target, _: _await(type(target).__anext__(target)), "aiter": lambda target, _: type(target).__aiter__(target),
    "aenter": lambda target, _: _await(type(target).__aenter__(target)),
    "aexit": lambda target, error: _await(type(target).__aexit__(target, None if error is None else type(error), error, None)),
}  # fmt: skip


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
    return {"types": [cls.__name__ for cls in type.mro(type(error))[:-1]], "text": text[:2000], "where": where, "line": line}
