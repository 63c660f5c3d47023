"""The projection engine: how every view is folded from the log, live and from zero, exactly once.

Read `view.py` for what a service supplies, then `apply.py` for the one transaction in which a batch of a partition is
applied, then `projector.py` for how batches come from Kafka. `serving.py` and `swap.py` are how a rebuilt generation
takes over. Knows no service: a view is anything that satisfies `View`.
"""
