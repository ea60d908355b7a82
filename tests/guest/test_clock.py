"""The guest's clock follows the broker's, and is left alone where it was right."""

import time

import pytest

from warily.guest import clock

NOW = 1_790_000_000


@pytest.fixture
def set_to(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []
    monkeypatch.setattr(time, "time", lambda: NOW + 0.5)
    monkeypatch.setattr(time, "clock_settime", lambda which, at: found.append((which, at)))
    return found


@pytest.mark.parametrize("off", [0, clock.TOLERANCE, -clock.TOLERANCE])
def test_a_clock_that_is_right_is_left_alone(set_to: list[tuple[int, float]], off: int) -> None:
    assert clock.follow(NOW + off) == ""
    assert not set_to


@pytest.mark.parametrize(
    ("off", "said"),
    [
        (31 * 86400, "warily: the clock was 2678400 s behind"),
        (-clock.TOLERANCE - 1, "warily: the clock was 31 s ahead"),
    ],
)
def test_a_clock_that_is_wrong_is_set_and_named(set_to: list[tuple[int, float]], off: int, said: str) -> None:
    assert clock.follow(NOW + off).startswith(said)
    assert set_to == [(time.CLOCK_REALTIME, NOW + off)]
