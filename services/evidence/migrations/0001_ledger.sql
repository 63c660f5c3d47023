-- migrate:up

-- The ledger: every accepted event once, in commit order, dense from position 0. A row is never changed and never deleted.
-- A student's event has the partition of its `subject` and its sequence there; a reference event (no subject) goes to every
-- partition, and `sequences[p + 1]` is its sequence in partition p. `record` is the event's bytes: what is hashed and published.
CREATE TABLE public.ledger (
    position bigint PRIMARY KEY,
    recordedtime timestamptz NOT NULL,
    partition smallint,
    sequence bigint,
    sequences bigint[],
    type text NOT NULL,
    subject text,
    traceparent text,
    record bytea NOT NULL,
    CHECK ((sequences IS NULL) = (partition IS NOT NULL AND sequence IS NOT NULL AND subject IS NOT NULL))
);

-- Reference events are the signposts by which a place in a partition is found: at least one a second while events come in.
CREATE INDEX ledger_signposts ON public.ledger (position) INCLUDE (sequences) WHERE sequences IS NOT NULL;

-- The head: one row, and the lock under which the log grows. `position` and `sequences[p + 1]` are the next to be given,
-- `tick` the position of the last tick and `ticked` the time that it carries, `merges` the vault's merge counter.
CREATE TABLE public.head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    log text NOT NULL,
    timezone text NOT NULL,
    partitions smallint NOT NULL,
    position bigint NOT NULL,
    recordedtime timestamptz NOT NULL,
    tick bigint NOT NULL,
    ticked timestamptz NOT NULL,
    merges bigint NOT NULL DEFAULT 0,
    sequences bigint[] NOT NULL
) WITH (fillfactor = 10); -- moved by every append: new versions stay on its page

-- What was seen, by the day of the event, so that the index in use is small. Days get a partition each from a week before the
-- log was opened, made a week ahead; all earlier days share `seen_before`; days that are further off than a week wait in
-- `seen_after` until they come near. A wrong clock can therefore not make partitions.
CREATE TABLE public.seen (
    day date NOT NULL,
    source text COLLATE "C" NOT NULL, -- compared by every append, for equality only: the database's language is of no use here
    id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    submissionhash bytea NOT NULL,
    PRIMARY KEY (day, source, id)
) PARTITION BY RANGE (day);
CREATE TABLE public.seen_after PARTITION OF public.seen DEFAULT;

-- received = accepted + duplicate + rejected + held, a publisher, always: moved in the ledger's transaction.
CREATE TABLE public.counters (
    publisher text PRIMARY KEY,
    received bigint NOT NULL,
    accepted bigint NOT NULL,
    duplicate bigint NOT NULL,
    rejected bigint NOT NULL,
    held bigint NOT NULL,
    CHECK (received = accepted + duplicate + rejected + held)
) WITH (fillfactor = 50);

-- What waits at the door, e.g. until the roster brings its student. `key` names what it waits for.
CREATE TABLE public.held (
    source text NOT NULL,
    id text NOT NULL,
    day date NOT NULL,
    publisher text NOT NULL,
    reason text NOT NULL,
    key text NOT NULL,
    submissionhash bytea NOT NULL,
    payload bytea NOT NULL,
    came timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, id)
);
CREATE INDEX held_key ON public.held (reason, key);
CREATE INDEX held_came ON public.held (came);

-- What was refused, for its publisher and district IT, kept for 30 days and bounded a publisher. Counted for ever in `counters`.
CREATE TABLE public.rejections (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    came timestamptz NOT NULL DEFAULT clock_timestamp(),
    publisher text NOT NULL,
    source text,
    id text,
    code text NOT NULL,
    pointer text NOT NULL,
    expected text NOT NULL,
    payload bytea NOT NULL
);
CREATE INDEX rejections_publisher ON public.rejections (publisher, number);
CREATE INDEX rejections_id ON public.rejections (source, id);
CREATE INDEX rejections_came ON public.rejections (came);
