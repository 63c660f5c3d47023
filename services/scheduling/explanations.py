"""What the codes of scheduling's own problems mean, for `/docs/problems`."""

from __future__ import annotations

from services.chassis.docs.explanations import Explanation, Explanations

EXPLANATIONS: Explanations = {
    "no-plan": Explanation(
        "No plan was published for this school and week.", "Make one: `cairn scheduling plan SCHOOL --week WEEK`."
    ),
    "no-week": Explanation("The week is not written as one.", "Write an ISO week such as 2026-W41, or any date in it."),
    "no-calendar": Explanation(
        "The school has no calendar, so nobody knows when its flex blocks are.",
        "Publish a `calendar.published` event for the school.",
    ),
    "unknown-school": Explanation(
        "No school of this code is registered.", "A roster import registers schools under their own codes."
    ),
    "unknown-student": Explanation(
        "No student of this pseudonym was ever enrolled.",
        "Views know pseudonyms only. The identity vault's API finds one by a name.",
    ),
}
