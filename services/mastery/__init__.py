"""Mastery: what each student can do, folded from evidence under the policies in force.

Owns: levels, how they came about, and the counts of students by school, competency and level.
Consumes: `evidence.log` (evidence, enrolments, programmes; frameworks, scales, policies, schools).
Emits: `mastery.changes` (mastery.changed, and the ticks it has passed).
Tables: `generation.sql`, one set a generation; outbox, serving and generations come with the chassis's migrations.
Invariants:
- a level is the policy in force at a position over all counting evidence up to it, whatever order that came in;
- an error and what puts it right leave no mark on what counts now; what was known before is still there to be asked for;
- row at a time, in batches, or from zero: the same exact digest; in any order of publication (`occurred`): the same meaning;
- evaluating a policy is total: no value is `None` with a reason, never a failure;
- one event, one `mastery.changed` with every move of that student; folding `mastery.changes` gives the levels;
- counts are summed from levels, and `scan` finds one that is not.
Read `policies.py` (arithmetic), `rules.py` (which policy is in force), `standings.py` (one level), `domain.py` (the fold),
`handlers.py` (the view); `contracts/records.py` says which evidence counts.
"""
