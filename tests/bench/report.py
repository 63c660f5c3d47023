"""How a benchmark tells its figure: next to its limit, with the machine and the seed, on the screen and in `results.jsonl`."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
from pathlib import Path

RESULTS = Path(__file__).with_name("results.jsonl")


def report(what: str, figure: float, limit: float, *, least: float, unit: str = "events/s", seed: int = 0, **facts: object) -> None:
    """Print `figure` and its ratio to `limit` (the same work with nothing of ours in it), and keep the row.

    `least` is the ratio that design §9 asks for; `facts` say what is inside the measure, e.g. `students_a_batch=500`.
    """
    ratio = figure / limit
    verdict = "reached" if ratio >= least else "MISSED"
    print(f"{what}: {figure:,.0f} {unit}, limit {limit:,.0f}, ratio {ratio:.2f} (≥ {least}: {verdict})", _text(facts))  # noqa: T201
    _keep({"what": what, "figure": figure, "limit": limit, "ratio": ratio, "least": least, "unit": unit, "seed": seed, **facts})


def report_latency(what: str, *, p50: float, p99: float, most_p50: float, most_p99: float, seed: int = 0, **facts: object) -> None:
    """Print percentiles in milliseconds beside what they may be at the most, and keep the row."""
    verdict = "reached" if p50 <= most_p50 and p99 <= most_p99 else "MISSED"
    line = f"{what}: p50 {p50:.1f} ms (≤ {most_p50:g}), p99 {p99:.1f} ms (≤ {most_p99:g}): {verdict}"
    print(line, _text(facts))  # noqa: T201
    _keep({"what": what, "p50_ms": p50, "p99_ms": p99, "most_p50_ms": most_p50, "most_p99_ms": most_p99, "seed": seed, **facts})


def _text(facts: dict[str, object]) -> str:
    return "  " + ", ".join(f"{name}={value}" for name, value in facts.items()) if facts else ""


def _keep(row: dict[str, object]) -> None:
    known = {"at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "commit": _commit(), "machine": _machine()}
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**known, **row}) + "\n")


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
