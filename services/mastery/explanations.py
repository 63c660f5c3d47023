"""What the codes of mastery's own problems mean, for `/docs/problems`."""

from __future__ import annotations

from services.chassis.docs.explanations import Explanation, Explanations

EXPLANATIONS: Explanations = {
    "no-evidence": Explanation(
        "The student has no evidence in this competency, as far as this view has come.",
        "Ask for what she has: the list of her competencies. What was accepted just now is visible within a second.",
    ),
    "not-known-yet": Explanation(
        "The position that `known_at` asks for is not folded yet, as far as this student goes.",
        "Ask again in a second, or for a position at or below the one that the answer names. A parked student waits for a redrive.",
    ),
    "unknown-competency": Explanation(
        "No enrolled student has evidence in this competency.",
        "Use the codes of a framework that was published, such as `hs` and `MA.1`.",
    ),
    "unknown-school": Explanation(
        "No school of this code is registered.", "A roster import registers schools under their own codes."
    ),
    "unknown-student": Explanation(
        "The log holds nothing about a student of this pseudonym.",
        "Views know pseudonyms only. The identity vault's API finds one by a name.",
    ),
}
