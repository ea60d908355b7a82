"""Claims that are read later: made once, at the first look."""

from warily.core.claims import ReadLater


def test_they_are_made_once_and_only_when_read() -> None:
    made = []

    def make() -> dict[str, object]:
        made.append(1)
        return {"product": "Genoa", "vmpl": 0}

    claims = ReadLater(make)
    assert made == []
    assert claims["product"] == "Genoa"
    assert {**claims} == dict(claims) == {"product": "Genoa", "vmpl": 0}
    assert claims == {"product": "Genoa", "vmpl": 0}
    assert bool(claims)
    assert repr(claims) == "{'product': 'Genoa', 'vmpl': 0}"
    assert made == [1]


def test_none_are_none() -> None:
    assert not ReadLater(dict)
