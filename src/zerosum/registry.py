"""Named things that register themselves, and the discovery that finds them: no list of names anywhere."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from zerosum.errors import UserError, nearest

T = TypeVar("T")


def modules(package: str) -> list[str]:
    """Names of the public modules directly inside a package, in order; imports the package only."""
    path = importlib.import_module(package).__path__
    return sorted(info.name for info in pkgutil.iter_modules(path) if not info.name.startswith("_"))


class Registry(Generic[T]):
    """What `package` offers under a name; its modules are imported at the first look-up."""

    def __init__(self, what: str, package: str) -> None:
        self.what = what
        self.package = package
        self._entries: dict[str, T] = {}
        self._discovered = False

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that adds an entry; a name can be taken once."""

        def add(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"two entries for {self.what} {name!r}")
            self._entries[name] = entry
            return entry

        return add

    def _discover(self) -> None:
        if not self._discovered:
            self._discovered = True
            for module in modules(self.package):
                importlib.import_module(f"{self.package}.{module}")

    def __getitem__(self, name: str) -> T:
        self._discover()
        if name not in self._entries:
            raise UserError(f"no {self.what} {name!r}; {nearest(name, self._entries)}")
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self._discover()
        return len(self._entries)
