-- migrate:up

-- The log that a service writes: its outbox. A row is never changed and never deleted; Kafka can be refilled from here.
-- `log` is the topic's name, `sequence` dense from 0 in each partition, `record` the bytes that were published.
CREATE TABLE public.outbox (
    log text NOT NULL,
    partition smallint NOT NULL,
    sequence bigint NOT NULL,
    recordedtime timestamptz NOT NULL,
    type text NOT NULL,
    subject text,
    traceparent text,
    record bytea NOT NULL,
    PRIMARY KEY (log, partition, sequence)
);

-- The next sequence of each partition. Its row is the lock under which sequences are given, taken last: cursor, serving,
-- next_out. Lives outside generations.
CREATE TABLE public.next_out (
    log text NOT NULL,
    partition smallint NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (log, partition)
) WITH (fillfactor = 50);

-- What consumers asked this owner to publish again, because they found a gap: from `sequence` on. The relay takes rows away.
CREATE TABLE public.republications (
    log text NOT NULL,
    partition smallint NOT NULL,
    sequence bigint NOT NULL,
    asked timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log, partition)
);
