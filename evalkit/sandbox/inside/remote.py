"""What one side holds of an object that lives on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wire import Peer

NAMES_OF = ("__name__", "__qualname__", "__defaults__")  # served like plain attributes


class Remote:
    # No docstring: that of the object over there is served in its place. An object that lives on the other side. It is called,
    # looked into, asked whether it is true and for its text; never to compare or to compute, which would show it what the
    # test expects. The program sees less of the test's objects: they are only called and iterated over.

    __slots__ = ("_index", "_peer")

    def __init__(self, peer: Peer, index: int | str) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_index", index)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._peer.call(self._index, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and (self._peer.open_all or name not in NAMES_OF):
            raise AttributeError(name)
        return self._peer.ask("attribute", self._index, name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return None if self._peer.open_all else self._peer.ask("attribute", self._index, "__doc__")

    def __setattr__(self, name: str, value: Any) -> None:
        self._peer.ask("set", self._index, [name, value])

    def __delattr__(self, name: str) -> None:
        self._peer.ask("delete", self._index, name)

    def __iter__(self) -> Any:
        return self._peer.ask("iter", self._index)

    def __next__(self) -> Any:
        return self._peer.ask("next", self._index)

    def __len__(self) -> int:
        return self._exactly(int, "len")

    def __bool__(self) -> bool:
        return self._peer.open_all or self._exactly(bool, "bool")

    def __str__(self) -> str:
        return object.__repr__(self) if self._peer.open_all else self._exactly(str, "str")

    def __repr__(self) -> str:
        return object.__repr__(self) if self._peer.open_all else self._exactly(str, "repr")

    def __getitem__(self, key: Any) -> Any:
        return self._peer.ask("item", self._index, key)

    def __enter__(self) -> Any:
        return self._peer.call(self._index, (), {}, "enter")

    def __exit__(self, *raised: Any) -> None:
        """Leaves; what the test raised is never swallowed, since it may be the test's verdict."""
        self._peer.call(self._index, (), {}, "exit")

    def _exactly(self, kind: type, op: str) -> Any:
        found = self._peer.ask(op, self._index)
        if type(found) is not kind:
            raise TypeError(f"{op}() of the program's object is no {kind.__name__}")
        return found
