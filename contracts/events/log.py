"""The log's own events: how it was opened, and the passing of time."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from contracts.envelope import Data
from contracts.ids import Code


class LogOpened(Data):
    """The first event, at position 0. Example: the district's log opens with 64 partitions in America/New_York."""

    TYPE: ClassVar[str] = "cairn.log.opened.v1"
    REFERENCE: ClassVar[bool] = True

    log: Code
    partitions: Annotated[int, Field(ge=1, le=1024)]
    timezone: Code


class LogTicked(Data):
    """Time passed. Example: the first append after 08:00:00 puts the tick of 08:00:00 before itself.

    `time` is the whole second that passed, `date` the local date at that time in the log's time zone.
    What starts or ends on a date does so at the first tick whose `date` has reached it.
    """

    TYPE: ClassVar[str] = "cairn.log.ticked.v1"
    REFERENCE: ClassVar[bool] = True

    time: AwareDatetime
    date: dt.date
