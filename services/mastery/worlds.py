"""Worlds of reference versions as the rules that the fold asks, and whom a policy, a scale or a midnight moves.

Must not: know students. A rule is remembered until anything of reference changes, because it is asked at every event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial

from contracts.events import PolicyPublished, ScalePublished
from services.chassis.projection import stories
from services.chassis.projection.reference import Version, World
from services.chassis.projection.view import Scope
from services.mastery.domain import Law
from services.mastery.rules import Adoption, Rule, choose, rule_of
from services.mastery.standings import Rules


def law_at(world: World) -> Law:
    """What holds at a place in the log."""
    return world.remember("law", lambda: Law(rules_at(world), partial(stories.revoked, world), world.position))


def rules_at(world: World) -> Rules:
    """The rules in force at a place in the log."""
    return world.remember("rules", lambda: _rules(world))


def _rules(world: World) -> Rules:
    @cache
    def rule(framework: str, competency: str, school: str | None) -> Rule | None:
        own = school if school in world.remember(("schools", framework), lambda: _own_schools(world, framework)) else None
        return world.remember(("rule", framework, competency, own), lambda: _rule(world, framework, competency, own))

    return rule


def _own_schools(world: World, framework: str) -> frozenset[str]:
    return frozenset(policy.school for policy in _policies(world) if policy.framework == framework and policy.school)


def _rule(world: World, framework: str, competency: str, school: str | None) -> Rule | None:
    adopted = choose(_adoptions(world), world.date, framework, competency, school)
    return world.remember(("adopted", adopted.position), lambda: _rule_of(world, adopted)) if adopted else None


def _rule_of(world: World, adopted: Adoption) -> Rule | None:
    scale = world.get("scale", adopted.policy.scale)
    if scale is None or not isinstance(scale.data, ScalePublished):
        return None
    others = (version.data for version in world.all("scale") if isinstance(version.data, ScalePublished))
    return rule_of(adopted, scale.data, [other for other in others if other.converts_to == scale.data.scale])


def _adoptions(world: World) -> list[Adoption]:
    def compute() -> list[Adoption]:
        return [
            Adoption(version.position, world.reference.at(version.position).date, version.data)
            for version in world.history("policy")
            if isinstance(version.data, PolicyPublished)
        ]

    return world.remember("adoptions", compute)


def _policies(world: World) -> list[PolicyPublished]:
    return [version.data for version in world.history("policy") if isinstance(version.data, PolicyPublished)]


def moved_by(version: Version, before: World, after: World) -> Scope | None:
    """Whom a new policy moves, if it is in force at once, or a new scale: whoever stands in a framework that uses it.
    An assessor who is revoked or reinstated moves whoever she assessed."""
    data = version.data
    match data:
        case PolicyPublished() if data.effective is None or data.effective <= after.date:
            return _joined(_reach(data, after))
        case ScalePublished():
            frameworks = _frameworks_on({data.scale, *_converted_to(data.scale, before, after)}, after)
            return _scope(frameworks, None) if frameworks else None
    return stories.moved_by(version)


def moved_at(before: World, after: World) -> Sequence[Scope]:
    """Whom the policies move whose midnight has come: a scope a framework and school, unless the whole district is in one."""
    due = {
        place
        for policy in _policies(after)
        if policy.effective is not None and before.date < policy.effective <= after.date
        for place in _reach(policy, after)
    }
    wanted = {(framework, school) for framework, school in due if school is None or (framework, None) not in due}
    return [_scope([framework], school) for framework, school in sorted(wanted, key=lambda pair: (pair[0], pair[1] or ""))]


def _reach(policy: PolicyPublished, world: World) -> set[tuple[str, str | None]]:
    """The frameworks and schools (None: all) of a policy in all its versions: a next version moves who stood under the last."""
    return {(each.framework, each.school) for each in _policies(world) if each.policy == policy.policy}


def _joined(places: set[tuple[str, str | None]]) -> Scope:
    """One scope for all of these places."""
    schools = {school for _, school in places}
    return _scope((framework for framework, _ in places), next(iter(schools)) if len(schools) == 1 else None)


def _scope(frameworks: Iterable[str], school: str | None) -> Scope:
    return {"frameworks": sorted(set(frameworks)), "school": school}


def _converted_to(scale: str, *worlds: World) -> set[str]:
    """The scales that a scale converts to, in any of its states."""
    versions = (world.get("scale", scale) for world in worlds)
    return {v.data.converts_to for v in versions if v and isinstance(v.data, ScalePublished) and v.data.converts_to}


def _frameworks_on(scales: set[str], world: World) -> set[str]:
    return {policy.framework for policy in _policies(world) if policy.scale in scales}
