"""What every process can be told, and where the local stack's answers are found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.errors import Unavailable
from services.chassis.validation import fault


def cairn_home() -> Path:
    """The folder of the local stack's state: `CAIRN_HOME`, else `.cairn` in the current folder."""
    return Path(os.environ.get("CAIRN_HOME", ".cairn")).absolute()


def load_local_environment() -> None:
    """Read what `cairn up` wrote, so that commands in a checkout need no settings. What is set already wins."""
    path = cairn_home() / "env"
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip())


class ServiceSettings(BaseSettings):
    """Settings shared by all processes; each service extends them in its own `settings.py`.

    A service's database is `CAIRN_<SERVICE>_DATABASE`, its address `CAIRN_<SERVICE>_URL`; both have no default, so that
    a forgotten setting stops a process instead of sending student data somewhere unexpected.
    """

    model_config = SettingsConfigDict(env_prefix="CAIRN_", extra="ignore", frozen=True)

    mode: Literal["local", "production"] = Field(default="production", description="`local` fills in secrets and skips sign-in")
    host: str = Field(default="127.0.0.1", description="address that servers bind to; loopback unless told otherwise")
    port: int = Field(default=0, ge=0, le=65535, description="port of this process; 0 picks a free one")
    kafka: str = Field(default="", description="bootstrap servers, host:port separated by commas")
    otlp: str = Field(default="", description="OTLP/HTTP endpoint of traces; empty: exporters are off")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="least level that is logged")
    evidence_url: str = Field(default="", description="where the evidence API is")
    mastery_url: str = Field(default="", description="where the mastery API is")
    scheduling_url: str = Field(default="", description="where the scheduling API is")
    reporting_url: str = Field(default="", description="where the pages are")
    operator_key: SecretStr = Field(
        default=SecretStr(""), description="bearer key of the operators' addresses, which refuse without it; local mode needs none"
    )

    def __init__(self, **values: Any) -> None:
        """Raises `Unavailable`, naming the variable and what was expected; never what it holds, which may be a secret."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            wrong = fault(error)
            name = wrong.pointer.removeprefix("/").upper()
            raise Unavailable(f"CAIRN_{name.removeprefix('CAIRN_')}: expected {wrong.expected}") from None

    def required(self, name: str) -> str:
        """The setting `name`, or `Unavailable` saying which variable to set."""
        value = str(getattr(self, name))
        if not value:
            raise Unavailable(f"CAIRN_{name.upper()} is not set; run `cairn up` for a local stack, or set it")
        return value
