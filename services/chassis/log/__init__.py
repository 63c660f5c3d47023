"""The log: what an owner of a topic keeps in its database, and how that gets to Kafka and stays the same.

Owns: the outbox (`emit`, dense sequences a partition), reading a topic's tail and comparing it with the log it came from,
the relay of any feed, and asking an owner to publish again.
Must not: know a service, or any event.
"""
