"""How an old version of an event becomes the next one. Logs keep their bytes; only readers upcast.

`UPCASTERS` maps a data class to the function that gives its successor, so a chain v1 → v2 → v3 is followed to its end.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts.envelope import Data, Event

UPCASTERS: dict[type[Data], Callable[[Data], Data]] = {}


def upcast(event: Event[Data]) -> Event[Data]:
    """The same event with its data in the newest version; the envelope, its `type` included, stays as it was written."""
    data = event.data
    while (step := UPCASTERS.get(type(data))) is not None:
        data = step(data)
    return event if data is event.data else event.model_copy(update={"data": data})
