"""Values of Python's own types as JSON can carry them, and back: what is rebuilt is of a type listed here, whatever was sent."""

from __future__ import annotations

import collections
import datetime
import gc
import importlib
import re
import sys
import types
from array import array
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

DICTS = (dict, collections.Counter, collections.OrderedDict, collections.defaultdict)
MUTABLE = (list, set, bytearray, collections.deque, array, types.SimpleNamespace, *DICTS)
BASES = (int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, collections.deque, dict)
STANDARD = ("builtins", "datetime", "decimal", "fractions", "collections", "array", "uuid")  # types of these are sent by name
LAZY = {"UUID": ("uuid", "UUID"), "PurePosixPath": ("pathlib", "PurePosixPath"), "PosixPath": ("pathlib", "PosixPath")}
CONSTANTS: dict[str, Any] = {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}
VIEWS: dict[Any, str] = {type({}.keys()): "keys", type({}.items()): "items", type({}.values()): "values"}
Convert = Callable[[Any], Any]

ITERABLE: dict[str, Convert] = {
    "tuple": tuple, "frozenset": frozenset, "keys": lambda items: dict.fromkeys(items).keys(),
    "items": lambda items: dict(items).items(), "values": lambda items: dict(enumerate(items)).values(),
    "slice": lambda parts: slice(*parts), "ChainMap": lambda maps: collections.ChainMap(*maps), "memoryview": lambda one: memoryview(*one),
    "alias": lambda parts: types.GenericAlias(parts[0] if isinstance(parts[0], type) else object, tuple(parts[1:])),
    "mappingproxy": lambda one: types.MappingProxyType(*one), "Pattern": lambda parts: re.compile(*parts),
}  # fmt: skip
SIMPLE: dict[str, Convert] = {
    "int": lambda text: int(text, 16), "bytes": bytes.fromhex, "complex": lambda parts: complex(*parts), "Fraction": Fraction,
    "Decimal": Decimal, "date": datetime.date.fromisoformat, "time": datetime.time.fromisoformat,
    "datetime": datetime.datetime.fromisoformat, "timedelta": lambda parts: datetime.timedelta(*parts), "constant": CONSTANTS.__getitem__,
    **{name: lambda text, name=name: _lazy(name)(text) for name in LAZY},  # type: ignore[misc]
}  # fmt: skip


def _lazy(name: str) -> Any:
    module, attribute = LAZY[name]
    return getattr(importlib.import_module(module), attribute)


def _lies_at(module: str, name: str, value: object) -> bool:
    return module in sys.modules and getattr(sys.modules[module], name, None) is value


def simple(value: Any, kind: Any) -> dict[str, Any] | None:
    """A value without parts; None for one that has parts, or whose type is not listed."""
    if kind is int:
        return {"int": hex(value)}
    if kind is bytes:
        return {"bytes": value.hex()}
    if kind is complex:
        return {"complex": [value.real, value.imag]}
    if kind in (Fraction, Decimal):
        return {kind.__name__: str(value)}
    if kind is datetime.timedelta:
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    if kind is datetime.date:
        return {"date": value.isoformat()}
    if kind in (datetime.datetime, datetime.time) and (value.tzinfo is None or type(value.tzinfo) is datetime.timezone):
        return {kind.__name__: value.isoformat()}
    for name, constant in CONSTANTS.items():
        if value is constant:
            return {"constant": name}
    if kind is type and value.__module__ in STANDARD and _lies_at(value.__module__, value.__name__, value):
        return {"type": [value.__module__, value.__name__]}
    if (at := LAZY.get(kind.__name__)) and _lies_at(*at, kind):
        return {kind.__name__: str(value)}
    return None


def parts(value: Any, kind: type, pack: Convert) -> dict[str, Any] | None:
    """A value with parts, each packed; None for any other."""
    if kind in (list, tuple, set, frozenset):
        return {kind.__name__: [pack(item) for item in kind.__iter__(value)]}
    if kind is collections.defaultdict:
        return {"defaultdict": [pack(value.default_factory), [[pack(k), pack(v)] for k, v in dict.items(value)]]}
    if kind in DICTS:
        return {kind.__name__: [[pack(k), pack(v)] for k, v in kind.items(value)]}
    if kind is collections.deque:
        return {"deque": [value.maxlen, [pack(item) for item in value]]}
    if kind is bytearray:
        return {"bytearray": value.hex()}
    if kind is array:
        return {"array": [value.typecode, [pack(item) for item in value]]}
    if kind in VIEWS:
        of = gc.get_referents(value)[0]
        return {"view": [VIEWS[kind], pack(of)]} if type(of) in DICTS else {VIEWS[kind]: [pack(item) for item in value]}
    if kind is collections.ChainMap:
        return {"ChainMap": [pack(one) for one in value.maps]}
    if kind is memoryview:
        return {"memoryview": [pack(bytes(value))]}
    if kind is types.MappingProxyType:
        return {"mappingproxy": [pack(dict(value))]}
    if kind is types.GenericAlias:
        return {"alias": [pack(value.__origin__), *map(pack, value.__args__)]}
    if kind is re.Pattern:
        return {"Pattern": [pack(value.pattern), pack(value.flags & ~re.UNICODE if isinstance(value.pattern, str) else value.flags)]}
    if kind is types.SimpleNamespace:
        return {"SimpleNamespace": [[pack(k), pack(v)] for k, v in vars(value).items()]}
    if kind is range:
        return {"range": [pack(part) for part in (value.start, value.stop, value.step)]}
    if kind is slice:
        return {"slice": [pack(part) for part in (value.start, value.stop, value.step)]}
    return None


def standard_type(named: Any) -> Any:
    """A type of the standard library by module and name.

    Raises:
        LookupError: there is none of that name in the modules that are open.
    """
    module, name = named
    found = vars(importlib.import_module(module)).get(name) if module in STANDARD else None
    if not isinstance(found, type):
        raise LookupError(name)
    return found


def empty(kind: str, content: Any, unpack: Convert) -> Any:
    """A container of the kind, without its items, so that they may refer to it."""
    if kind == "deque":
        return collections.deque(maxlen=content[0])
    if kind == "defaultdict":
        factory = unpack(content[0])
        return collections.defaultdict(factory if factory is None or callable(factory) else None)
    if kind == "array":
        return array(content[0])
    makers: dict[str, Any] = {cls.__name__: cls for cls in MUTABLE}
    return makers[kind]()


def fill(target: Any, kind: str, content: Any, unpack: Convert) -> None:
    """Make a container's items those of `content`, in place."""
    if type(target).__name__ != kind or type(target) not in MUTABLE:
        raise LookupError(kind)
    if isinstance(target, bytearray):
        target[:] = bytes.fromhex(content)
        return
    if isinstance(target, types.SimpleNamespace):
        vars(target).clear()
        vars(target).update({str(unpack(k)): unpack(v) for k, v in content})
        return
    if isinstance(target, dict):
        pairs = [(unpack(k), unpack(v)) for k, v in (content[1] if kind == "defaultdict" else content)]
        target.clear()
        for key, value in pairs:
            target[key] = value
        return
    items = [unpack(item) for item in (content[1] if kind in ("deque", "array") else content)]
    if isinstance(target, list):
        target[:] = items
    elif isinstance(target, array):
        target[:] = array(target.typecode, items)
    else:
        target.clear()
        (target.extend if isinstance(target, collections.deque) else target.update)(items)


def size(container: Any) -> int:
    """How many items a container has."""
    return len(vars(container) if isinstance(container, types.SimpleNamespace) else container)


def as_base(value: Any, base: Any) -> Any:
    """An instance of a subclass as the base itself has it."""
    if base in (int, float, complex):
        return base.__pos__(value)
    if base is str:
        return str.__str__(value)
    if base is dict:
        return dict(dict.items(value))
    return base(base.__iter__(value))
