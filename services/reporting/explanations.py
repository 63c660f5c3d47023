"""What the codes of reporting's own problems mean, for `/docs/problems`."""

from __future__ import annotations

from services.chassis.docs.explanations import Explanation, Explanations

EXPLANATIONS: Explanations = {
    "unknown-competency": Explanation(
        "The student has no evidence in this competency.", "Start from her page: it links to every level that she has."
    ),
    "unknown-school": Explanation("No school of this code is registered.", "Start from the district's page: it lists the schools."),
    "unknown-student": Explanation(
        "The log holds nothing about a student of this pseudonym.", "Start from a school's roll: it links to its students."
    ),
}
