"""Claims that are put into words when somebody reads them: whoever only decides reads none."""

from collections.abc import Callable, Iterator, Mapping


class ReadLater(Mapping[str, object]):
    """The mapping that `make` returns, made at the first look; `make` sees frozen values only, and cannot fail."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Mapping[str, object]]) -> None:
        self._make = make
        self._made: Mapping[str, object] | None = None

    def _read(self) -> Mapping[str, object]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, name: str) -> object:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())
