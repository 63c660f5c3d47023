"""What reporting can be told."""

from __future__ import annotations

from ipaddress import ip_address

from pydantic import Field

from services.chassis.errors import Unavailable
from services.chassis.settings import ServiceSettings


class ReportingSettings(ServiceSettings):
    """Settings of reporting's processes."""

    database: str = Field(default="", validation_alias="CAIRN_REPORTING_DATABASE", description="DSN of reporting's own database")
    issuer: str = Field(default="", description="OpenID issuer of those who may read the pages; without one, local mode only")

    def required_database(self) -> str:
        """The database's DSN, or `Unavailable` naming its variable."""
        if not self.database:
            raise Unavailable("CAIRN_REPORTING_DATABASE is not set; run `cairn up` for a local stack, or set it")
        return self.database

    def refuse_strangers(self) -> None:
        """Refuse to show pages to whoever comes by: they hold students' records, and nobody signs in here yet.

        So pages are bound to loopback, behind a proxy of the operator's that signs people in with the issuer.
        """
        if self.mode != "local" and not self.issuer:
            raise Unavailable(
                "CAIRN_ISSUER is not set: outside local mode the pages are not served without an issuer of identities"
            )
        if not is_loopback(self.host):
            raise Unavailable(
                f"CAIRN_HOST is {self.host}: the pages are served on loopback only (127.0.0.1), behind a proxy that signs in"
            )


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own. A name other than `localhost` is not: it could point anywhere."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
