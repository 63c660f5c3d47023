"""The file door: rows of CSV and Parquet files become submissions, through the same `Door.submit` as any other.

`mapping.py` is the map that an operator writes, `table.py` reads the file, `cells.py` and `submission.py` make a row an event,
`importing.py` takes the rows in, 200 at a time, `rejects.py` writes down what was refused, `pace.py` yields to live traffic,
`undo.py` retracts what a batch brought.
"""
