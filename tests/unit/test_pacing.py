"""When what lasts is spoken of, and how long it will still take."""

import pytest

from converge.pacing import Pace, Schedule


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def said(schedule: Schedule, clock: Clock, seconds: int, about: str = "") -> "list[int]":
    """Return when it is due, of looks in each of so many seconds."""
    found = []
    for _ in range(seconds):
        clock.now += 1
        if schedule.is_due((about,) if about else ()):
            found.append(round(clock.now - 1000))
    return found


def test_it_is_said_after_3_10_and_30_s_and_then_every_minute(clock: Clock) -> None:
    """Whether somebody is in the way or nobody is."""
    assert said(Schedule(clock), clock, 220) == [3, 10, 30, 90, 150, 210]


def test_who_blocks_is_said_at_once_when_it_changes(clock: Clock) -> None:
    """And again after 10 s, 30 s, and every minute."""
    schedule = Schedule(clock)
    assert said(schedule, clock, 1) == []
    assert said(schedule, clock, 41, "pid 7") == [2, 12, 32]
    assert said(schedule, clock, 12, "pid 8") == [43, 53]


def test_those_who_take_turns_are_not_said_each_time(clock: Clock) -> None:
    """On a busy table each attempt at a lock meets another."""
    schedule = Schedule(clock)
    found = [bool(said(schedule, clock, 1, f"pid {number}")) for number in range(7)]
    assert found == [True, False, False, True, False, False, True]


def test_what_waits_again_for_the_same_is_no_news(clock: Clock) -> None:
    """Between two looks nobody may have been in the way."""
    schedule = Schedule(clock)
    assert said(schedule, clock, 1, "pid 7") == [1]
    assert said(schedule, clock, 1) == []
    assert said(schedule, clock, 8, "pid 7") == []


def test_a_look_that_comes_late_says_it_once(clock: Clock) -> None:
    """A batch may take a minute."""
    schedule = Schedule(clock)
    clock.now += 50
    assert schedule.is_due()
    assert said(schedule, clock, 45) == [90]


def test_what_is_left_follows_from_what_is_done(clock: Clock) -> None:
    """A quarter in 10 s: 30 s more; between two looks they pass."""
    pace = Pace(clock)
    assert (pace.percent, pace.left) == (None, None)
    clock.now += 10
    pace.reach(0.25)
    assert (pace.percent, pace.left) == (25, 30)
    clock.now += 4
    pace.reach(None)
    assert (pace.percent, pace.left) == (25, 26)


def test_waiting_for_others_is_no_work(clock: Clock) -> None:
    """What is left stays the same meanwhile."""
    pace = Pace(clock)
    clock.now += 10
    pace.reach(0.5)
    for _ in range(60):
        clock.now += 1
        pace.reach(0.5, waiting=True)
    assert pace.left == 10
    clock.now += 5
    pace.reach(0.75)
    assert pace.left == 5


def test_what_lasts_is_not_done(clock: Clock) -> None:
    """99 % is the most that is said, and `0 s left` never."""
    pace = Pace(clock)
    clock.now += 10
    pace.reach(0.96)
    assert (pace.percent, pace.left) == (96, None)
    pace.reach(1.0, waiting=True)
    assert pace.percent == 99


def test_what_takes_longer_than_foretold_foretells_nothing(clock: Clock) -> None:
    """No `0 s left` for minutes."""
    pace = Pace(clock)
    clock.now += 10
    pace.reach(0.5)
    clock.now += 11
    assert pace.left is None


def test_what_is_done_is_never_less(clock: Clock) -> None:
    """The server counts anew in each phase, and rounds."""
    pace = Pace(clock)
    clock.now += 1
    pace.reach(0.5)
    pace.reach(0.25)
    assert pace.percent == 50


def test_little_done_foretells_nothing(clock: Clock) -> None:
    """One per cent in the first second may be anything."""
    pace = Pace(clock)
    clock.now += 1
    pace.reach(0.01)
    assert pace.left is None
