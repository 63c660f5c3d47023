"""What the codes of mastery's own problems mean, for `/docs/problems`."""

from __future__ import annotations

from services.chassis.docs.explanations import Explanation, Explanations

EXPLANATIONS: Explanations = {
    "no-evidence": Explanation(
        "The student has no evidence in this competency, as far as this view has come.",
        "Ask for what she has: the list of her competencies. What was accepted just now is visible within a second.",
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
