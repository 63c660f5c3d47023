"""Which wishes of a block come true: a flow of least cost, from students through sections to a sink.

As many students as possible are seated (the greatest flow), then the greatest need is met (the least cost), then the lots
decide. One thread, integers only, wishes in canonical order: the same wishes give the same seats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from services.scheduling.seating import LOTS, Wish
from services.scheduling.week import Section


def assign(wishes: Sequence[Wish]) -> list[Wish]:
    """The wishes that come true: at most one a student, at most a section's capacity.

    Raises `ArithmeticError` if the costs left the solver's range (about 6,000 students on a scale of 100 levels).
    """
    if not wishes:
        return []
    students = {student: node for node, student in enumerate(dict.fromkeys(wish.student for wish in wishes), start=1)}
    sections = {section.class_: section for section in sorted({wish.section for wish in wishes}, key=lambda each: each.class_)}
    nodes = {class_: node for node, class_ in enumerate(sections, start=len(students) + 1)}
    flow = SimpleMinCostFlow()
    taken = _add_wishes(flow, wishes, students, nodes)
    _add_ends(flow, list(students.values()), [(nodes[each.class_], _capacity(each, len(students))) for each in sections.values()])
    if (status := flow.solve_max_flow_with_min_cost()) != flow.OPTIMAL:
        raise ArithmeticError(f"min-cost flow over {len(wishes)} wishes ended as {status}")
    return [wish for wish, flows in zip(wishes, flow.flows(taken), strict=True) if flows]


def _add_wishes(flow: SimpleMinCostFlow, wishes: Sequence[Wish], students: dict[str, int], sections: dict[str, int]) -> Any:
    """An arc a wish; the arcs' numbers. A unit of need outweighs all lots together, so lots decide between equals only."""
    heaviest = max(wish.weight for wish in wishes)
    unit = LOTS * len(students)
    return flow.add_arcs_with_capacity_and_unit_cost(
        np.array([students[wish.student] for wish in wishes]),
        np.array([sections[wish.section.class_] for wish in wishes]),
        np.ones(len(wishes), dtype=np.int64),
        np.array([(heaviest - wish.weight) * unit + wish.lot for wish in wishes], dtype=np.int64),
    )


def _add_ends(flow: SimpleMinCostFlow, students: list[int], sections: list[tuple[int, int]]) -> None:
    """The source (node 0), which gives every student one unit, and the sink (the last node), which sections drain into."""
    sink = len(students) + len(sections) + 1
    for student in students:
        flow.add_arc_with_capacity_and_unit_cost(0, student, 1, 0)
    for section, capacity in sections:
        flow.add_arc_with_capacity_and_unit_cost(section, sink, capacity, 0)
    flow.set_node_supply(0, len(students))
    flow.set_node_supply(sink, -len(students))


def _capacity(section: Section, students: int) -> int:
    return students if section.capacity is None else min(section.capacity, students)
