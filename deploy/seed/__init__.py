"""Records to run on: Project STAR, a synthetic mastery school, a district of them, and load at a steady rate.

Owns: turning data into OneRoster folders and evidence. Must not: enter by any door but the public ones (`cairn roster import`,
`POST /v1/evidence`), or import a service.
"""
