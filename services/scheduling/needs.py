"""Who needs which competency: how far a student stands below the top of its scale. Pure."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.events import FrameworkPublished, PolicyPublished, ScalePublished

Key = tuple[str, str]  # (framework, competency)
Levels = Mapping[Key, int | None]  # None: there is evidence, but no level

NO_LEVEL = "no-level"
NO_EVIDENCE = "no-evidence"


@dataclass(frozen=True, slots=True)
class Adopted:
    """A published policy at its position in the log; `published` is the local date then."""

    position: int
    published: dt.date
    policy: PolicyPublished

    @property
    def came(self) -> tuple[dt.date, bool, int]:
        """When it came into force, to be compared: at the midnight of a later date, or with its own position on that day."""
        if self.policy.effective is None or self.policy.effective <= self.published:
            return self.published, True, self.position
        return self.policy.effective, False, self.position


@dataclass(frozen=True, slots=True)
class Need:
    """What a seat for this competency is worth to a student, and the fact that it rests on (`level-1-of-4`, `no-level`)."""

    weight: int
    framework: str
    competency: str
    reason: str

    @property
    def key(self) -> Key:
        return self.framework, self.competency


def targets_of(
    school: str,
    day: dt.date,
    frameworks: Iterable[FrameworkPublished],
    policies: Iterable[Adopted],
    scales: Mapping[str, ScalePublished],
) -> dict[Key, tuple[int, ...]]:
    """The levels to climb in each competency, ascending: those of the scale that its policy reads on `day`.

    A competency that no policy in force reads has no levels, so nobody can be said to need it, and it is left out.
    """
    adopted = tuple(each for each in policies if each.policy.scale in scales and _in_force(each, school, day))
    targets: dict[Key, tuple[int, ...]] = {}
    for framework in frameworks:
        candidates = [each for each in adopted if each.policy.framework == framework.framework]
        for part in framework.competencies:
            if reading := [each for each in candidates if _reads(each.policy, part.competency)]:
                scale = scales[max(reading, key=_precedence).policy.scale]
                targets[framework.framework, part.competency] = tuple(sorted(level.level for level in scale.levels))
    return targets


def needs_of(levels: Levels, targets: Mapping[Key, tuple[int, ...]]) -> tuple[Need, ...]:
    """A student's needs, strongest first, ties in order of code. Competencies at the top of their scale are none.

    The weight is the square of the levels missing, plus one: a seat goes first to who stands lowest. No level in spite of
    evidence counts as below the lowest. No evidence is *not* "not met": it weighs one, less than any known gap.
    """
    needs = (_need(key, levels, target) for key, target in targets.items())
    return tuple(sorted((need for need in needs if need.weight), key=lambda need: (-need.weight, need.key)))


def _need(key: Key, levels: Levels, target: tuple[int, ...]) -> Need:
    if key not in levels:
        return Need(1, *key, NO_EVIDENCE)
    level = levels[key]
    gap = len(target) - (0 if level is None else bisect_right(target, level))
    reason = NO_LEVEL if level is None else f"level-{level}-of-{target[-1]}"
    return Need(gap * gap + 1 if gap else 0, *key, reason)


def _in_force(adopted: Adopted, school: str, day: dt.date) -> bool:
    policy = adopted.policy
    return policy.school in (None, school) and (policy.effective is None or policy.effective <= day)


def _reads(policy: PolicyPublished, competency: str) -> bool:
    return not policy.competencies or competency in policy.competencies


def _precedence(adopted: Adopted) -> tuple[bool, bool, tuple[dt.date, bool, int]]:
    """A school's own policy goes before the district's, one that names the competency before one that does not, then the last."""
    return adopted.policy.school is not None, bool(adopted.policy.competencies), adopted.came
