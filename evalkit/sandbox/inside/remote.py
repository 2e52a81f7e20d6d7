"""What one side holds of an object that lives on the other."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wire import Peer

# Words about a function or class that are served like plain attributes: to the test, and to the program.
OF_PROGRAM = ("__name__", "__qualname__", "__doc__", "__module__", "__defaults__", "__kwdefaults__", "__annotations__", "__wrapped__")
OF_TEST = ("__name__", "__qualname__", "__doc__")


def exactly(held: Any, kind: type, op: str, argument: Any = None) -> Any:
    """What the other side says, of that type and no other."""
    found = held._far_peer.ask(op, held._far_index, argument)
    if type(found) is not kind:
        raise TypeError(f"{op}() of the program's object is no {kind.__name__}")
    return found


class Held:
    # No docstring: that of the object over there is served in its place. An object that lives on the other side. It is
    # looked into and asked for its text; a plain value that the test compares it with is never shown to it.

    def __init__(self, peer: Peer, index: int | str) -> None:
        object.__setattr__(self, "_far_peer", peer)  # not by its own, which reaches the other side
        object.__setattr__(self, "_far_index", index)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in (OF_TEST if self._far_peer.open_all else OF_PROGRAM):
            raise AttributeError(name)
        return self._far_peer.ask("attribute", self._far_index, name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._far_peer.ask("attribute", self._far_index, "__doc__")

    def __setattr__(self, name: str, value: Any) -> None:
        self._far_peer.ask("set", self._far_index, [name, value])

    def __delattr__(self, name: str) -> None:
        self._far_peer.ask("delete", self._far_index, name)

    def __str__(self) -> str:
        return exactly(self, str, "str")

    def __repr__(self) -> str:
        return object.__repr__(self) if self._far_peer.open_all else exactly(self, str, "repr")

    def __format__(self, spec: str) -> str:
        return exactly(self, str, "format", spec)

    def __copy__(self) -> Any:
        return self._far_peer.ask("copy", self._far_index)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._far_peer.ask("deepcopy", self._far_index)


class Function(Held):
    # A function: called, and bound where a class has it.

    __doc__ = Held.__dict__["__doc__"]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._far_peer.call(self._far_index, args, kwargs)

    def __get__(self, value: Any, kind: Any = None) -> Any:
        return self if value is None else types.MethodType(self, value)

    @property
    def __signature__(self) -> Any:
        return self._far_peer.signature(self._far_index)


class Remote(Held):
    # An object of a class that is not the program's own: what it can do is not known beforehand.

    __doc__ = Held.__dict__["__doc__"]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._far_peer.call(self._far_index, args, kwargs)

    def __iter__(self) -> Any:
        return self._far_peer.ask("iter", self._far_index)

    def __next__(self) -> Any:
        return self._far_peer.ask("next", self._far_index)

    def __len__(self) -> int:
        return exactly(self, int, "len")

    def __bool__(self) -> bool:
        return exactly(self, bool, "bool")

    def __getitem__(self, key: Any) -> Any:
        return self._far_peer.ask("item", self._far_index, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._far_peer.ask("put", self._far_index, [key, value])

    def __delitem__(self, key: Any) -> None:
        self._far_peer.ask("drop", self._far_index, key)

    def __enter__(self) -> Any:
        return self._far_peer.call(self._far_index, (), {}, "enter")

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        return self._far_peer.leave(self._far_index, error)

    @property
    def __signature__(self) -> Any:
        return self._far_peer.signature(self._far_index)
