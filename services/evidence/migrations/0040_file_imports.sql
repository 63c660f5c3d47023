-- migrate:up

-- Files of history and of apps that have no other way: what was imported, and how far. A batch is named by the publisher, the file's
-- bytes and the map, so the same command after a kill goes on where it stopped. `number` tells runs apart; `rows` of the file are
-- dealt with, and `rejects` bytes of its rejects file belong to them. What was appended at or after `floor` under this batch's
-- ids was brought by this batch, even if it was killed before it could say so.
CREATE TABLE public.file_imports (
    batch      text PRIMARY KEY,
    publisher  text NOT NULL,
    source     text NOT NULL,   -- of all its events
    number     bigint NOT NULL UNIQUE,
    began      timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished   timestamptz,
    undone     timestamptz,
    rows       bigint NOT NULL DEFAULT 0,
    rejects    bigint NOT NULL DEFAULT 0,
    floor      bigint NOT NULL,
    accepted   bigint NOT NULL DEFAULT 0,
    duplicate  bigint NOT NULL DEFAULT 0,
    held       bigint NOT NULL DEFAULT 0,
    rejected   bigint NOT NULL DEFAULT 0
);

-- What a batch brought, which its undoing retracts: the events' ids, and the records that they are of.
CREATE TABLE public.file_import_events (
    batch  text NOT NULL,
    id     text COLLATE "C" NOT NULL,
    key    bytea NOT NULL,
    turn   integer NOT NULL,
    PRIMARY KEY (batch, id)
);

-- The last content under each natural key of a publisher's files, both as keyed hashes. `turn` counts the changes: a record that
-- takes back an earlier content is a new piece all the same. `number`: the last import that had it.
CREATE TABLE public.file_records (
    publisher  text NOT NULL,
    key        bytea NOT NULL,
    content    bytea,           -- NULL: undone, so whatever comes next is new
    turn       integer NOT NULL,
    number     bigint NOT NULL,
    PRIMARY KEY (publisher, key)
);
