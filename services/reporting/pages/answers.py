"""Other services' answers, read as what they should be."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)


def read_answer(model: type[M], answer: Mapping[str, Any] | None) -> M | None:
    """An answer as what it should be; None for one that is not, as if it had not come."""
    try:
        return model.model_validate(answer) if answer is not None else None
    except ValidationError as error:
        log.warning("a peer's answer is not understood", extra={"model": model.__name__, "errors": error.error_count()})
        return None
