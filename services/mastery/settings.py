"""What the mastery service can be told. Read by `app` and `cli` only."""

from __future__ import annotations

from pydantic import Field

from services.chassis.errors import Unavailable
from services.chassis.settings import ServiceSettings


class MasterySettings(ServiceSettings):
    """The chassis's settings and the service's own database, which no other service reads."""

    database: str = Field(default="", validation_alias="CAIRN_MASTERY_DATABASE", description="DSN of the mastery database")

    def dsn(self) -> str:
        """The DSN of the database, or `Unavailable` saying which variable to set."""
        if not self.database:
            raise Unavailable("CAIRN_MASTERY_DATABASE is not set; run `cairn up` for a local stack, or set it")
        return self.database
