"""The Kafka inbox: a topic a publisher, `evidence.inbox.NAME`, and what became of its records on `evidence.receipts.NAME`.

Beginning with `readers.py`: which worker reads which inbox. One inbox is `reader.py`, a record of it `record.py`, the way back
`teller.py`.
"""
