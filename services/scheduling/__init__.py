"""Scheduling: a school's week of flex blocks, filled so that time goes where it is needed.

Owns: who needs which competency, and the plans: who has which seat, and why.
Consumes: `evidence.log` (enrolments, schools, classes, calendars, frameworks, scales, policies), `mastery.changes` (levels).
Emits: `schedule.changes` (plan.published, seat.assigned, seat.released, and the ticks it has passed).
Tables: `generation.sql`, the view that plans are made from, one set a generation; `migrations/`, the plans themselves.
Invariants:
- a plan is a decision: it is solved once, from one snapshot of the view, kept, and never solved again to know what it was;
- the same input gives the same plan, and publishes nothing new;
- one seat a student a block, never above a section's capacity, never while a class of hers meets;
- whoever has no seat in a block has a reason;
- folding all of `schedule.changes` gives the plans' tables.
Read `needs.py`, `week.py` and `seating.py` for the rules, `planning.py` for how a plan is made and published.
"""
