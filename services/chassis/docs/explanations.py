"""What the codes of problems mean, and what to do: those of the chassis, and how a code leads to its page."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

PATH = "/docs/problems"


class Explanation(NamedTuple):
    """For the developer who met a problem: what it means, and what to do about it. Whole sentences."""

    meaning: str
    remedy: str


Explanations = Mapping[str, Explanation]

AGAIN = (
    "Nothing is wrong with the request. Send it again after the seconds in Retry-After; what was taken after all is a duplicate."
)


def docs_of(code: str) -> str:
    """Where the page of a code is, on the service that answered with it."""
    return f"{PATH}/{code}"


def code_of(status: int) -> str:
    """The code of a problem that has no more to say than its HTTP status."""
    return HTTPStatus(status).phrase.lower().replace(" ", "-").replace("'", "")


def _of_status(status: HTTPStatus) -> Explanation:
    meaning = status.description or status.phrase
    return Explanation(f"HTTP {status.value}: {meaning}.", "Compare the request with the OpenAPI page of this service.")


STATUSES: Explanations = {code_of(status): _of_status(status) for status in HTTPStatus if status >= 400}

OWN: Explanations = {
    "unauthorized": Explanation(
        "The request bears no key that is known, or the key was revoked.",
        "Send the header `Authorization: Bearer KEY`. `cairn publisher add` makes a key and prints it once.",
    ),
    "invalid-json": Explanation(
        "The body, or one line of it, is not JSON by RFC 8259.",
        "Send UTF-8 JSON without comments, trailing commas or anything after the closing brace or bracket.",
    ),
    "invalid-field": Explanation(
        "A field is missing or unknown, or its value is not allowed. `pointer` is the field, `expected` the rule.",
        "Mend that field. Only the first fault is told, so ask again with `?validate_only=true` until there is none.",
    ),
    "conflict": Explanation(
        "What the request rests on has changed: at the evidence door, other content was sent first under this source and id.",
        "Keep one id for one content. To correct what was sent, send a new event with a new id; to repeat it, repeat it exactly.",
    ),
    "unavailable": Explanation(
        "The service cannot answer just now: a part that it needs is away, or it has too much to do.", AGAIN
    ),
    "client-disconnected": Explanation("The connection ended before the body did.", AGAIN),
    "internal-server-error": Explanation(
        "A bug of the service's. It is in its log, by type and place.", "Tell whoever runs the service when it happened."
    ),
    "not-parked": Explanation(
        "The student is not parked in this view.", "List who is: `cairn mastery parked`, or the same of another service."
    ),
    "generation-in-use": Explanation(
        "This generation of the view is read now, or is about to be.", "Swap to another first, or wait for the swap under way."
    ),
    "unknown-generation": Explanation("The view has no generation of this number.", "List them: `cairn mastery generations`."),
    "nothing-to-roll-back-to": Explanation("No earlier generation exists any more.", "Rebuild and swap instead."),
    "swap-pending": Explanation("Another swap is under way.", "Wait until it is done or its deadline has passed."),
    "already-serving": Explanation("This generation is the one that is read.", "Nothing is left to do."),
}


def all_of(own: Explanations) -> dict[str, Explanation]:
    """Everything that a service may answer with, by code. What it says of a code itself comes first."""
    return dict(sorted({**STATUSES, **OWN, **own}.items()))
