"""The program's own classes as its test sees them: real classes of the test's process, whose instances live in the program.

What an instance says about the program's own objects (`Vector(1) + Vector(2) == Vector(3)`) is the program's to say, in plain
Python as well; each yes is noted, and believed only if it becomes a no when the test's numbers and texts are changed. What the
test expects in plain values is compared here, and never shown to the program.
"""

from __future__ import annotations

import builtins
import collections
import collections.abc
import dataclasses
import enum
import sys
import types
from typing import TYPE_CHECKING, Any

from remote import OF_PROGRAM, Held, exactly

if TYPE_CHECKING:
    from wire import Peer

BINARY = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift", "and", "xor", "or")
# Computed with a plain value, these may show how far off the object is from it: only objects come back (`Peer._follow`).
DIFFERENCES = ("sub", "isub", "xor", "ixor")
RESIDUAL = (*DIFFERENCES, "truediv", "floordiv", "mod", "divmod", "itruediv", "ifloordiv", "imod")
COMPARED = ("eq", "ne", "lt", "le", "gt", "ge")
UNARY = ("neg", "pos", "invert", "abs", "round", "trunc", "floor", "ceil", "int", "float", "complex", "index")
ABSTRACT = ("Iterable", "Iterator", "Sized", "Container", "Collection", "Callable", "Hashable", "Sequence", "MutableSequence", "Set",
            "MutableSet", "Mapping", "MutableMapping", "Reversible", "Generator", "Awaitable")  # fmt: skip
OPERATORS = (*BINARY, *(f"r{name}" for name in BINARY), *(f"i{name}" for name in BINARY))
BASES: dict[str, Any] = {kind.__name__: kind for kind in (int, float, complex, str, bytes, tuple, frozenset)}
MUTABLE: dict[str, Any] = {
    kind.__name__: kind
    for kind in (list, set, dict, collections.deque, collections.Counter, collections.OrderedDict, collections.defaultdict)
}
ENUMS = {kind.__name__: kind for kind in (enum.Enum, enum.IntEnum, enum.StrEnum, enum.Flag, enum.IntFlag)}


class Kind(type):
    """The class of mirrored classes: calling one, or asking it for a name, reaches the program's class."""

    __mirrored__: tuple[Peer, int]  # where the class lives
    __checks__: bool  # whether it may say itself what its instances are

    def __new__(cls, name: str, bases: tuple[Any, ...], names: dict[str, Any]) -> Any:
        """A class that the test derives: the program gets one like it, whose functions are the test's."""
        peer = next(base for base in bases if isinstance(base, Kind)).__mirrored__[0]
        given = {key: value for key, value in names.items() if key not in ("__module__", "__qualname__", "__classcell__")}
        place = peer.ask("subclass", 0, [name, list(bases), {key: _unwrapped(value) for key, value in given.items()}])
        names |= {key: Reached(key) for key, value in given.items() if not key.startswith("__") or key == "__init__"}
        made = peer.mirrored[place] = type.__new__(cls, name, bases, names | {"__mirrored__": (peer, place)})
        return made

    def __init__(cls, name: str, bases: tuple[Any, ...], names: dict[str, Any]) -> None:
        type.__init__(cls, name, bases, names)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        peer, index = cls.__mirrored__
        return peer.call(index, args, kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name not in (*OF_PROGRAM, "__members__"):
            raise AttributeError(name)
        return cls._ask("attribute", name)

    def _ask(cls, op: str, argument: Any = None) -> Any:
        peer, index = cls.__mirrored__
        return peer.ask(op, index, argument)

    def __setattr__(cls, name: str, value: Any) -> None:
        if name.startswith(("__", "_abc_")):
            return type.__setattr__(cls, name, value)
        return cls._ask("set", [name, value])

    def __delattr__(cls, name: str) -> None:
        cls._ask("delete", name)

    def __getitem__(cls, key: Any) -> Any:
        return cls._ask("item", key)

    def __iter__(cls) -> Any:
        return cls._ask("iter")

    def __len__(cls) -> Any:
        return cls._ask("len")

    def __bool__(cls) -> bool:
        return True

    def __instancecheck__(cls, value: Any) -> bool:
        return type.__instancecheck__(cls, value) or (cls.__checks__ and far(value) and cls._ask("isinstance", value) is True)

    @property
    def __signature__(cls) -> Any:
        peer, index = cls.__mirrored__
        return peer.signature(index)


def _unwrapped(value: Any) -> Any:
    """What a class body defines, as it can be sent: a function by itself, or what wraps one and the function."""
    if isinstance(value, (staticmethod, classmethod)):
        return [type(value).__name__, value.__func__]
    return ["property", value.fget, value.fset] if isinstance(value, property) else ["", value]


def derived(name: str, bases: list[Any], names: dict[str, Any]) -> Any:
    """In the program's process: the class that the test derives from the program's."""

    def function(far: Any) -> Any:
        return far if far is None else lambda *args, **kwargs: far(*args, **kwargs)

    def made(kind: str, value: Any, *more: Any) -> Any:
        if kind == "property":
            return property(function(value), *map(function, more))
        if kind:
            return {"staticmethod": staticmethod, "classmethod": classmethod}[kind](function(value))
        return function(value) if isinstance(value, Held) else value

    space = {key: made(*told) for key, told in names.items()}
    return types.new_class(name, tuple(bases), {}, lambda body: body.update(space, __module__="program"))


class Reached:
    """A name that a class of the program defines: what the object has under it, or, through `super()`, what the class has."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, value: Any, kind: Any) -> Any:
        if value is None:
            return kind._ask("attribute", self.name)
        first = next(cls for cls in type(value).__mro__ if self.name in cls.__dict__)
        if first.__dict__[self.name] is self:
            return value._far_peer.ask("attribute", value._far_index, self.name)
        owner = next(cls for cls in type(value).__mro__ if cls.__dict__.get(self.name) is self)
        return value._far_peer.ask("super", value._far_index, [owner, self.name])


class Doc:
    """The documentation of a mirrored class or of its object, which is the program's."""

    def __get__(self, value: Any, kind: Any) -> Any:
        return kind._ask("attribute", "__doc__") if value is None else value._far_peer.ask("attribute", value._far_index, "__doc__")


def far(value: Any) -> bool:
    """Whether a value of the test's process stands for an object of the program's."""
    kind = type(value)
    return isinstance(kind, Kind) or issubclass(kind, Held)


def opaque(value: Any) -> bool:
    """Whether it is an object of which nothing is known here, not even a value it is built on."""
    return isinstance(value, Held) and not hasattr(type(value), "__base_of__")


class Instance(Held):
    # An object of one of the program's own classes.

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        found = self._far_peer.ask("vars", self._far_index)
        if type(found) is not dict:
            raise TypeError("vars() argument must have __dict__ attribute")
        return found


def _unary(name: str) -> Any:
    return lambda self, *more: self._far_peer.operate(name, self, *more)


def _forward(name: str) -> Any:
    return lambda self, other: self._far_peer.operate(name, self, other)


def _reflected(name: str) -> Any:
    return lambda self, other: self._far_peer.operate(name, other, self)


def _compared(name: str) -> Any:
    return lambda self, other: self._far_peer.operate(name, self, other) if far(other) else NotImplemented


def _asked(op: str, kind: type | None = None) -> Any:
    return (lambda self: self._far_peer.ask(op, self._far_index)) if kind is None else lambda self: exactly(self, kind, op)


METHODS: dict[str, Any] = {
    **{f"__{name}__": _forward(name) for name in (*BINARY, *(f"i{name}" for name in BINARY if name != "divmod"))},
    **{f"__r{name}__": _reflected(name) for name in BINARY},
    **{f"__{name}__": _unary(name) for name in UNARY},
    **{f"__{name}__": _compared(name) for name in COMPARED},
    "__call__": lambda self, *args, **kwargs: self._far_peer.call(self._far_index, args, kwargs),
    "__iter__": _asked("iter"), "__next__": _asked("next"), "__reversed__": _asked("reversed"),
    "__len__": _asked("len", int), "__bool__": _asked("bool", bool), "__hash__": _asked("hash", int),
    "__contains__": lambda self, item: self._far_peer.operate("contains", self, item),
    "__getitem__": lambda self, key: self._far_peer.ask("item", self._far_index, key),
    "__setitem__": lambda self, key, value: self._far_peer.ask("put", self._far_index, [key, value]),
    "__delitem__": lambda self, key: self._far_peer.ask("drop", self._far_index, key),
    "__enter__": lambda self: self._far_peer.call(self._far_index, (), {}, "enter"),
    "__exit__": lambda self, kind, error, trace: self._far_peer.leave(self._far_index, error),
}  # fmt: skip
METHODS |= {
    "__aenter__": lambda self: _later(self, "aenter"), "__aiter__": _asked("aiter"), "__anext__": lambda self: _later(self, "anext"),
    "__aexit__": lambda self, kind, error, trace: _later(self, "aexit", error), "__await__": lambda self: _later(self, "await").__await__(),
}  # fmt: skip
TEXTS = {"__str__": Held.__str__, "__repr__": Held.__repr__, "__format__": Held.__format__}


BASED = ("__next__", "__getitem__", "__setitem__", "__delitem__", "__iter__", "__len__", "__index__", "__int__", "__float__")


def describe_class(cls: Any, pack: Any, hold: Any) -> dict[str, Any]:
    """In the program's process: what the test's needs to know of a class to have one like it."""
    line = type.mro(cls)
    own = [one for one in line if is_own(one)]
    names = {name for one in own for name in vars(one)}
    open_bases = [one for one in line if one is not object and {**BASES, **MUTABLE, **ENUMS}.get(one.__name__) is not one]
    methods = {name for one in open_bases for name in vars(one) if vars(one)[name] is not None}
    told: dict[str, Any] = {
        "name": cls.__name__,
        "bases": [pack(base) for base in cls.__bases__ if is_own(base)],
        "methods": sorted(methods & (METHODS.keys() | TEXTS.keys())),
        "unhashable": cls.__hash__ is None,
        "abstract": [name for name in ABSTRACT if getattr(collections.abc, name) in line],
        "own": sorted(name for name in names if not name.startswith("_")),
        "defined": sorted(name for name in vars(cls) if not name.startswith("__") or name == "__init__"),
        "checks": type(cls) is not type,
    }
    if dataclasses.is_dataclass(cls):
        told["fields"] = [[field.name, field.init, field.repr] for field in dataclasses.fields(cls)]
    if isinstance(cls, enum.EnumMeta):
        base = next((name for one in line if ENUMS.get(name := one.__name__) is one), None)
        mixed: type = vars(cls)["_member_type_"] if base in ("Enum", "Flag") else object
        members: list[tuple[str, Any]] = list(cls.__members__.items())
        if base and (mixed is object or BASES.get(mixed.__name__) is mixed) and all(_plain(member._value_) for _, member in members):
            told["enum"] = [base, mixed.__name__, [[name, pack(member._value_), hold(member)] for name, member in members]]
            told["own"] = [name for name in told["own"] if name not in cls.__members__]
    for one in line:
        if BASES.get(one.__name__) is one or MUTABLE.get(one.__name__) is one:
            told["base"] = one.__name__
            break
    return told


def _plain(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float, str, bytes) or (type(value) is tuple and all(map(_plain, value)))


def is_own(cls: Any) -> bool:
    """Whether a class is the program's: made by a class statement outside the standard library."""
    heap = bool(type.__dict__["__flags__"].__get__(cls) & (1 << 9))
    return heap and cls.__module__.partition(".")[0] not in (*sys.stdlib_module_names, "remote", "wire", "mirrors", "values")


def mirror(peer: Peer, index: int, told: dict[str, Any], bases: list[Any]) -> Any:
    """In the test's process: the class that stands for the program's. Built of names and plain values alone."""
    methods = [name for name in told["methods"] if name in METHODS or name in TEXTS]
    if "enum" in told:
        return _enumeration(peer, index, told, methods)
    given = {name: METHODS[name] if name in METHODS else TEXTS[name] for name in methods}
    if (base := BASES.get(told.get("base", ""))) is not None:
        names = _over_plain(base, given, told["own"])
        parents = tuple(bases) or (base,)
    elif (base := MUTABLE.get(told.get("base", ""))) is not None:
        names = _over_container(base, given)
        parents = tuple(bases) or (Instance, base)
    else:
        names = given
        if told["unhashable"]:
            names["__hash__"] = None
        elif "__eq__" in names and "__hash__" not in names:
            names["__hash__"] = object.__hash__
        parents = tuple(bases) or (Instance,)
    if issubclass(parents[0], Instance):
        names |= {str(name): Reached(str(name)) for name in told["defined"] if not name.startswith("__") or name == "__init__"}
    names |= {"__checks__": told["checks"] is True, "__module__": "program", "__doc__": Doc(), "__mirrored__": (peer, index)}
    if "fields" in told:
        names["__dataclass_fields__"] = {str(name): _field(name, init, shown) for name, init, shown in told["fields"]}
    name = str(told["name"])
    made = type.__new__(Kind, "Remote" if hasattr(builtins, name) else name, parents, names)
    for name in told["abstract"]:
        if name in ABSTRACT:
            getattr(collections.abc, name).register(made)
    return made


def _over_plain(base: Any, given: dict[str, Any], own: list[str]) -> dict[str, Any]:
    """Methods of a class over a type whose value is a copy here: comparing it is Python's own."""
    kept = {"__hash__", "__bool__", "__contains__", *(f"__{name}__" for name in COMPARED), *(name for name in BASED if hasattr(base, name))}
    names = {name: method for name, method in given.items() if name not in kept}
    names |= {name: _both_own(name, base) for name in given if name.strip("_") in OPERATORS and hasattr(base, name)}
    names |= {str(name): property(_attribute(str(name))) for name in own if not name.startswith("_")}
    return names | {"__getattr__": Held.__getattr__, "__setattr__": Held.__setattr__}


def _over_container(base: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Methods of a class over a container that stays with the program: compared by a copy of its items."""

    def copied(name: str) -> Any:
        plain, own = getattr(base, name), given.get(name)

        def method(self: Any, other: Any) -> Any:
            if far(other) and own is not None:
                return own(self, other)
            return plain(_items(self), _items(other) if far(other) else other)

        return method

    names: dict[str, Any] = {name: property(_attribute(name)) for name in dir(base) if not name.startswith("_")}
    names |= {name: method for name, method in METHODS.items() if hasattr(base, name)} | given
    names |= {f"__{name}__": copied(f"__{name}__") for name in COMPARED}
    if "__contains__" not in given:
        names["__contains__"] = copied("__contains__")
    return names | TEXTS | {"__hash__": None, "__base_of__": base}


def _items(value: Any) -> Any:
    return value._far_peer.ask("base", value._far_index)


def _both_own(name: str, base: Any) -> Any:
    """An operator of a class over a type of Python's: the program's between two of its objects, else the type's."""
    plain, own = getattr(base, name), METHODS[name]
    return lambda self, other: own(self, other) if far(other) else plain(self, other)


def _attribute(name: str) -> Any:
    return lambda self: self._far_peer.ask("attribute", self._far_index, name)


def _of_member(member: Any, name: str) -> Any:
    if name.startswith("_") or "_far_peer" not in member.__dict__:
        raise AttributeError(name)
    return member._far_peer.ask("attribute", member._far_index, name)


def _field(name: str, init: bool, shown: bool) -> Any:
    field: Any = dataclasses.field(init=bool(init), repr=bool(shown))
    field.name, field.type, field._field_type = str(name), object, dataclasses._FIELD  # type: ignore[attr-defined]
    return field


def _enumeration(peer: Peer, index: int, told: dict[str, Any], methods: list[str]) -> Any:
    """A real enumeration of plain values; what its members can do besides is asked of the program's."""
    base, mixed, members = told["enum"]
    names: Any = {name: METHODS[name] for name in methods if name.strip("_") in ("lt", "le", "gt", "ge", "call")}
    names |= {name: TEXTS[name] for name in methods if name in TEXTS}
    names |= {str(name): property(_attribute(str(name))) for name in told["own"] if not name.startswith("_")}
    names["__getattr__"] = _of_member
    kinds = (BASES[mixed], ENUMS[base]) if mixed in BASES else (ENUMS[base],)
    space = enum.EnumMeta.__prepare__(str(told["name"]), kinds)
    for name, method in names.items():
        space[name] = method
    for name, packed, _ in members:
        if name.startswith("_") or not _plain(value := peer.unpack(packed)):
            raise TypeError(name)
        space[name] = value
    space["__module__"] = "program"
    made: Any = enum.EnumMeta(str(told["name"]), kinds, space)
    peer.stands_for[id(made)] = (index, made)
    for name, _, place in members:
        made[name].__dict__.update(_far_peer=peer, _far_index=int(place))
        peer.stands_for[id(made[name])] = (int(place), made[name])
    return made


def _generator(peer: Peer, place: int) -> Any:
    """A real generator that is run over there."""
    step: tuple[str, Any] = ("next", None)
    while True:
        try:
            value = peer.ask(step[0], place, step[1]) if step[0] != "next" else peer.call(place, (), {}, "next")
        except StopIteration as end:
            return end.value
        try:
            sent = yield value
        except GeneratorExit:
            if peer.depth == 0:
                peer.ask("close", place)
            raise
        except BaseException as error:
            step = ("throw", error)
        else:
            step = ("next", None) if sent is None else ("send", sent)


async def _coroutine(peer: Peer, place: int) -> Any:
    return peer.ask("await", place)


async def _async_generator(peer: Peer, place: int) -> Any:
    while True:
        try:
            value = peer.ask("anext", place)
        except StopAsyncIteration:
            return
        yield value


async def _later(value: Any, op: str, argument: Any = None) -> Any:
    found = value._far_peer.ask(op, value._far_index, argument)
    return found if op != "aexit" else bool(found is True and argument is not None and value._far_peer.plainly_raised(argument))


LAZY = {"generator": _generator, "coroutine": _coroutine, "async_generator": _async_generator}


class Raised(type):
    """The class of the program's exception classes: what one is besides its name and its bases, the program says."""

    __far__: tuple[Peer, int | None]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        peer, place = cls.__dict__.get("__far__", (None, None))
        return type.__call__(cls, *args, **kwargs) if place is None else peer.call(place, args, kwargs)

    def __getattr__(cls, name: str) -> Any:
        peer, place = cls.__far__
        if name.startswith("__") or place is None:
            raise AttributeError(name)
        return peer.ask("attribute", place, name)


def _of_raised(error: Any, name: str) -> Any:
    if name.startswith("_") or (place := error.__dict__.get("_far_at")) is None:
        raise AttributeError(name)
    return type(error).__far__[0].ask("attribute", place, name)


RAISED = {"__getattr__": _of_raised, "__str__": lambda error: error.__dict__.get("_far_text") or BaseException.__str__(error)}
