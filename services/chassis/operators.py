"""The operators' key: who may ask a service for what is no publisher's and no reader's business.

Every process of ours bears it too, when it asks another for a tick or for what it missed. Until roles come with access.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Annotated

from fastapi import FastAPI, Header, Request

from services.chassis.errors import Rejected
from services.chassis.settings import ServiceSettings


def let_operators_in(app: FastAPI, settings: ServiceSettings) -> None:
    """Tell the application which key `operator` asks for: none in local mode; without one elsewhere, nobody is let in."""
    app.state.operator_key = None if settings.mode == "local" else settings.operator_key.get_secret_value()


async def operator(request: Request, authorization: Annotated[str | None, Header()] = None) -> None:
    """A dependency: lets in whoever bears the operators' key; in local mode, where there is none, anybody on this machine."""
    key: str | None = request.app.state.operator_key
    if key is None:
        return
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key or not hmac.compare_digest(given.encode(), key.encode()):
        raise Rejected("unauthorized", "Authorization: Bearer with the operators' key", status=401)


def bearing(settings: ServiceSettings) -> Mapping[str, str]:
    """The headers of a request to another service's operators' addresses."""
    key = settings.operator_key.get_secret_value()
    return {"authorization": f"Bearer {key}"} if key else {}
