"""Reporting: the pages, and what they are read from.

Owns     the read model of students, counts and plans (generations of schema `reporting_g<n>`), and the pages with their JSON.
Consumes `evidence.log`, `mastery.changes`, `schedule.changes`: one cursor a partition over the three.
Emits    nothing.
Tables   `students` one row a student, `seats` one row a seat, `level_counts` and `head_counts` summed a partition with roll-ups,
         `schools` and `published` (frameworks, scales, policies, calendars, classes) in versions, `plans`.
Invariants
- Every count is a sum over the rows of `students`; the scan's digest proves it.
- No name is ever kept: pages ask the vault when they are rendered, and show pseudonyms when it is away.
- Programmes (IEP, language) are not kept here: their sight is restricted, and pages that may show them come with access control.
- A page is one REPEATABLE READ transaction and says the position and time it stands for.
- Practice is kept, because it can be corrected, and counts for nothing here. A student who is merged is nobody.
"""
