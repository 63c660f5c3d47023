-- The engine's tables of one generation. A view's own tables stand beside them in the same schema.

CREATE TABLE cursor (
    partition   smallint PRIMARY KEY,
    owner_epoch bigint NOT NULL DEFAULT 0,  -- raised by each claim: a zombie sees it and stops early
    next        bigint[] NOT NULL,          -- the next sequence of each input: the guard that makes it exactly once
    offsets     bigint[] NOT NULL,          -- where to seek in each input's topic: a hint, never believed
    positions   bigint[] NOT NULL,          -- the last position applied of each input, -1 before the first
    ticks       timestamptz[] NOT NULL,     -- the last tick wholly passed of each input
    sweep       jsonb,                      -- how far an event that moves many students has come
    exact       bytea NOT NULL,             -- digests, see digest.py
    meaning     bytea NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE versions (
    kind     text NOT NULL,
    id       text NOT NULL,
    position bigint NOT NULL,
    record   bytea NOT NULL,
    PRIMARY KEY (kind, id, position)
);

CREATE TABLE midnights (
    position bigint PRIMARY KEY,
    date     date NOT NULL,
    record   bytea NOT NULL  -- the tick
);

-- Reference events that could not be applied: decided from themselves and earlier versions alone, so the same everywhere.
CREATE TABLE void (
    position bigint PRIMARY KEY,
    type     text NOT NULL,
    reason   text NOT NULL
);

-- Students' events whose date has not come: the first tick at or past it brings them in.
CREATE TABLE waiting (
    partition smallint NOT NULL,
    date      date NOT NULL,
    position  bigint NOT NULL,
    sequence  bigint NOT NULL,
    subject   text NOT NULL,
    record    bytea NOT NULL,
    PRIMARY KEY (partition, date, position)
);

-- Students whose view stands still before an event that could not be folded, and all that came for them since, in order.
CREATE TABLE parked (
    partition smallint NOT NULL,
    subject   text PRIMARY KEY,
    position  bigint NOT NULL,
    reason    text NOT NULL
);

CREATE TABLE parked_events (
    partition smallint NOT NULL,
    subject   text NOT NULL,
    at        bigint NOT NULL,    -- the place in the log where it takes effect (a tick's, for a dated event)
    input     smallint NOT NULL,
    sequence  bigint NOT NULL,
    position  bigint NOT NULL,    -- the event's own position
    kind      text NOT NULL CHECK (kind IN ('event', 'refold')),
    trigger   bytea,              -- the record of the tick that brought a dated event in
    record    bytea NOT NULL,
    PRIMARY KEY (subject, input, at, position, kind)
);
