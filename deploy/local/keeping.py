"""One part of the stack that is kept running: started, watched, started again after a pause that grows."""

from __future__ import annotations

from deploy.local.process import Part
from deploy.local.state import PartState

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0  # a crash loop then costs a start a half-minute, and heals by itself when its cause has gone
STEADY_SECONDS = 60.0  # having run for this long it is not in a crash loop: the next pause is the first again
RECHECK_SECONDS = 5.0  # how old "ready" in the table may be


class Kept:
    """A part and its row of the table. `step` does what is due and never waits, but for one question "are you ready?"."""

    def __init__(self, part: Part, address: str = "") -> None:
        self.part = part
        self.row = PartState(part.name, address=address, log=str(part.log))
        self._failures = 0
        self._due = 0.0
        self._since = 0.0

    @property
    def ready(self) -> bool:
        return self.row.state == "ready"

    def step(self, now: float) -> None:
        """Start it when it is due, notice that it ended, ask whether it is ready. `now` is a monotonic time in seconds."""
        if self.row.state in ("waiting", "backing off"):
            if now >= self._due:
                self._start(now)
        elif not self.part.running():
            self._ended(now)
        elif not self.ready or now >= self._due:
            self._ask(now)
        self.row.pid = self.part.pid

    def _start(self, now: float) -> None:
        self.part.start()
        self.row.state, self.row.detail, self._since = "starting", "", now

    def _ask(self, now: float) -> None:
        was_ready_once = self.row.state in ("ready", "not ready")
        if self.part.ready():
            self.row.state, self._due = "ready", now + RECHECK_SECONDS
        else:
            self.row.state = "not ready" if was_ready_once else "starting"

    def _ended(self, now: float) -> None:
        if now - self._since >= STEADY_SECONDS:
            self._failures = 0
        pause = min(FIRST_PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures += 1
        self._due = now + pause
        self.row.state, self.row.restarts = "backing off", self.row.restarts + 1
        self.row.detail = f"ended with exit code {self.part.exit_code()}; starts again in {pause:g} s"
