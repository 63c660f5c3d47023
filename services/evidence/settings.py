"""What the evidence service can be told. Read by `app` and `cli` only."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.errors import Unavailable
from services.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the evidence service, on top of every process's."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)  # an error must not show a key

    database: str = Field(
        default="", validation_alias="CAIRN_EVIDENCE_DATABASE", description="DSN of the evidence service's database"
    )
    vault_database: str = Field(default="", description="DSN of the same database for the vault's own login; empty: `database`")
    vault_key: SecretStr = Field(
        default=SecretStr(""), description="secret of submission hashes, 64 hexadecimal digits; local mode makes one at its start"
    )
    quota: int = Field(
        default=5000,
        ge=50,
        le=10_000_000,
        description="events a second that a publisher may send, unless it has a quota of its own",
    )
    log_name: str = Field(default="evidence.log", description="the log's name; read only when it is opened")
    partitions: int = Field(default=8, ge=1, le=1024, description="partitions of every topic; read only when the log is opened")
    timezone: str = Field(
        default="America/New_York", max_length=64, description="the district's time zone; read only when the log is opened"
    )

    @field_validator("vault_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and len(bytes.fromhex(value.get_secret_value())) < 32:
            raise ValueError("at least 64 hexadecimal digits")
        return value

    def dsn(self) -> str:
        """The DSN of the service's database, or `Unavailable` saying which variable to set."""
        if not self.database:
            raise Unavailable("CAIRN_EVIDENCE_DATABASE is not set; run `cairn up` for a local stack, or set it")
        return self.database

    def submission_key(self) -> bytes | None:
        """The configured HMAC key, or None."""
        return bytes.fromhex(self.vault_key.get_secret_value()) or None
