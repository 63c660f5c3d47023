"""The evidence service: everything that enters Cairn enters here.

Owns      the doors (HTTP, roster import), the publishers and their grants, the identity vault, the ledger, the relay.
Consumes  nothing: evidence comes over HTTP, rosters from files.
Emits     `evidence.log`, through the ledger and the relay only.
Tables    `head`, `ledger`, deduplication, `counters`, `held`, `rejections` (see `store/ledger.py`); `publishers`;
          `sourcekeys`, `records`, `holders`, `merges` (what corrections and merges need to know); `roster_*`, the last imported
          state; schema `vault`: identifiers, people, keys, under a role of its own.
Invariants
  - received = accepted + duplicate + rejected + held, a publisher, always.
  - An answer of 200 or 201 means durable; the same submission gets the same receipt, whatever it looked like on the wire.
  - No name, demographic or identifier leaves the vault's schema for the log, a log line, an error or a trace.

An event's way in: `api.py` → `parse.py` → `admit.py` → `vault.py` → `submit.py` → `gather.py` → `ledger.py` → `relay.py`.
"""
