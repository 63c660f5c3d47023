"""A part that ends is started again after a pause that grows, and starts from the first pause once it has run steadily."""

from __future__ import annotations

from pathlib import Path

from deploy.local.keeping import LONGEST_PAUSE_SECONDS, RECHECK_SECONDS, STEADY_SECONDS, Kept


class Fake:
    """A part that runs and is ready as the test says."""

    name, pid, log = "fake", None, Path("fake.log")

    def __init__(self) -> None:
        self.starts = 0
        self.runs = self.is_ready = False

    def start(self) -> None:
        self.starts += 1
        self.runs = True

    def running(self) -> bool:
        return self.runs

    def ready(self) -> bool:
        return self.is_ready

    def exit_code(self) -> int | None:
        return 3

    def ask_to_end(self) -> None:
        self.runs = False

    def stop(self, seconds: float = 0) -> None:
        self.runs = False


def crash_until_started(part: Fake, kept: Kept, now: float) -> float:
    """The pause between a crash at `now` and the next start, found in steps of a tenth of a second."""
    part.runs = False
    starts, at = part.starts, now
    while part.starts == starts:
        kept.step(at)
        at += 0.1
    return at - now


def test_a_part_is_starting_until_it_answers() -> None:
    part = Fake()
    kept = Kept(part)
    kept.step(0)
    kept.step(0.2)
    assert kept.row.state == "starting"
    part.is_ready = True
    kept.step(0.4)
    assert kept.ready


def test_pauses_grow_to_the_longest_and_are_short_again_after_a_steady_run() -> None:
    part = Fake()
    kept = Kept(part)
    kept.step(0)
    now, pauses = 1.0, []
    for _ in range(9):
        pauses.append(crash_until_started(part, kept, now))
        now += pauses[-1] + 1
    assert pauses == sorted(pauses)
    assert LONGEST_PAUSE_SECONDS <= pauses[-1] <= LONGEST_PAUSE_SECONDS + 1
    assert kept.row.restarts == 9
    assert crash_until_started(part, kept, now + STEADY_SECONDS) < 1


def test_a_part_that_no_longer_answers_is_not_ready_but_not_started_again() -> None:
    part = Fake()
    part.is_ready = True
    kept = Kept(part)
    kept.step(0)
    kept.step(0.2)
    part.is_ready = False
    kept.step(0.3)
    assert kept.row.state == "ready"  # it was asked a moment ago
    kept.step(0.3 + RECHECK_SECONDS)
    assert kept.row.state == "not ready"
    assert part.starts == 1
