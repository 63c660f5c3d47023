"""The chassis: what every process shares.

Owns: settings, the command line's root, Kafka and Postgres connections, the log (outbox, relay), the projection engine
(cursor, claims, parking, sweeps, generations, swap), telemetry, health, error kinds.
Must not: know any service, or any event beyond the log's own (`log.opened`, `log.ticked`).
"""
