-- migrate:up

-- The publishers that send through Kafka, and the worker that reads each one's inbox now. A worker that has died is replaced once
-- its hold has run out; one that comes back meanwhile does no harm, because the cursor is the guard, not the hold.
CREATE TABLE public.inboxes (
    publisher   text PRIMARY KEY REFERENCES public.publishers (name),
    opened      timestamptz NOT NULL DEFAULT now(),
    holder      uuid,
    held_until  timestamptz
) WITH (fillfactor = 50);

-- How far each partition of an inbox was taken: every record below `next` is counted, none from there on. Moved in the ledger's
-- transaction, from where it stood to where it stands. By the topic's id: one that was deleted and made again has cursors of its own.
CREATE TABLE public.inbox_cursors (
    topic      uuid NOT NULL,
    partition  integer NOT NULL,
    publisher  text NOT NULL REFERENCES public.inboxes (publisher),
    next       bigint NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- What became of records that were taken, until it was told on the publisher's receipts: written in the ledger's transaction, taken
-- away once Kafka has it.
CREATE TABLE public.inbox_answers (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    publisher  text NOT NULL,
    topic      uuid NOT NULL,
    partition  integer NOT NULL,
    "offset"   bigint NOT NULL,
    answer     bytea NOT NULL
);
CREATE INDEX inbox_answers_publisher ON public.inbox_answers (publisher, number);
