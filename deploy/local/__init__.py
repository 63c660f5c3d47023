"""The local stack: real Kafka, Postgres and the four services on one machine, with Docker or without.

Owns: which parts are used and how they are started (`resolver`, `kafka`, `postgres`, `containers`), what runs and in which
order (`topology`), keeping it running (`supervisor`), and the commands `cairn up|status|logs|down|reset`. All state is in
`$CAIRN_HOME` (`.cairn`).
Must not: import a service; listen anywhere but on the loopback interface; be used in production. Postgres trusts whoever
reaches its socket or loopback port, as fits a laptop and nothing else.
"""
