"""The roster door: OneRoster 1.1 and 1.2 CSV (bulk) becomes what changed, as events, and people in the vault.

`folder.py` reads the files, `district.py` makes statements of their rows, `history.py` a student's statements in time,
`guard.py` stops what somebody has to look at first, `importing.py` compares them with what was stated before and appends the
changes.
"""
