"""What `cairn up` and `cairn status` show: a table on a terminal, lines elsewhere."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from rich.console import Console
from rich.live import Live
from rich.table import Table

from contracts.topics import EVIDENCE_LOG
from deploy.local.state import PartState, StackState

COLOURS = {"ready": "green", "starting": "yellow", "not ready": "yellow", "backing off": "red"}


def table(state: StackState, positions: dict[str, int] | None = None) -> Table:
    """The parts of a stack, a row each. `positions`: part → highest log position, where it has one."""
    title = f"Cairn is {state.phase}" + (f": {state.step}" if state.step else "")
    shown = Table("service", "pid", "address", "state", "position", title=title, title_justify="left", box=None, pad_edge=False)
    for part in state.parts:
        colour = COLOURS.get(part.state, "default")
        status = f"[{colour}]{part.state}[/]" + (f" ({part.restarts} restarts)" if part.restarts else "")
        position = (positions or {}).get(part.name)
        shown.add_row(part.name, str(part.pid or ""), part.address, status, "" if position is None else f"{position:,}")
    return shown


def position(part: PartState) -> int | None:
    """The highest log position that a process says it has come to, from its metrics; None when it says none."""
    if not part.address.startswith("http") or part.state not in ("ready", "not ready"):
        return None
    try:
        with urllib.request.urlopen(f"{part.address}/metrics", timeout=2) as answer:  # noqa: S310 - a loopback address of ours
            text = answer.read().decode()
    except OSError:  # it is ending or stuck, which its state says
        return None
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return max((int(each.value) for each in samples if _is_log_position(each)), default=None)


def _is_log_position(sample: Sample) -> bool:
    """Whether it counts in the evidence log; a view of several topics has a position in each."""
    return sample.name.endswith("_position") and sample.labels.get("topic", EVIDENCE_LOG.name) == EVIDENCE_LOG.name


class Progress:
    """Shows one state after another: a live table on a terminal, elsewhere a line for each change."""

    def __init__(self, console: Console, echo: Callable[[str], None]) -> None:
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._echo = echo
        self._told: dict[str, str] = {}

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, state: StackState) -> None:
        if self._live:
            self._live.update(table(state), refresh=True)
            return
        self._tell("", state.step)
        for part in state.parts:
            self._tell(part.name, part.state + (f" ({part.detail})" if part.detail else ""))

    def _tell(self, about: str, news: str) -> None:
        if news and self._told.get(about) != news:
            self._told[about] = news
            self._echo(f"{about}: {news}" if about else news)
