-- What corrections leave behind in a view that keeps students' evidence in a table `pieces`. Columns as in contracts/records.py.

-- What links, moves or takes out a piece, of those pieces that have such a thing.
CREATE TABLE notes (
    partition smallint NOT NULL,
    student   text NOT NULL,
    position  bigint NOT NULL,  -- of the piece
    source    text NOT NULL,    -- of the piece: a key is its source's own
    place     bigint NOT NULL,
    target    bigint,
    key       text,
    owner     text,
    joined    bigint,
    "left"    bigint,
    revoked   bigint,
    PRIMARY KEY (partition, student, position)
);

CREATE INDEX notes_by_key ON notes (partition, student, key) WHERE key IS NOT NULL;

-- The retractions in a student's story. Which are in force is computed, because a later one can name an earlier one.
CREATE TABLE retractions (
    partition smallint NOT NULL,
    student   text NOT NULL,
    position  bigint NOT NULL,
    place     bigint NOT NULL,
    target    bigint NOT NULL,
    whole     boolean NOT NULL,  -- of a record, not of one event
    sequence  integer,
    joined    bigint,
    "left"    bigint,
    PRIMARY KEY (partition, student, position)
);
