-- migrate:up
-- Which generations of the view exist, and which one is read. Both outlive every generation's schema.
CREATE TABLE generations (
    generation   integer PRIMARY KEY,
    fold_version integer NOT NULL,
    created      timestamptz NOT NULL DEFAULT now(),
    actor        text NOT NULL,
    reason       text NOT NULL
);

-- The one serving row. A projection's transaction reads it FOR SHARE, a swap locks it; so a swap is between transactions, never
-- within one. `pending`: both generations stop at the first tick after `after_tick`, until the swap is done, or void at `deadline`.
CREATE TABLE serving (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    generation integer NOT NULL REFERENCES generations,
    pending    integer REFERENCES generations,
    after_tick timestamptz,
    deadline   timestamptz,
    CHECK ((pending IS NULL) = (after_tick IS NULL) AND (pending IS NULL) = (deadline IS NULL))
);

-- What was done to generations: who, when, why.
CREATE TABLE generation_history (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text NOT NULL,
    action     text NOT NULL,
    generation integer NOT NULL,
    reason     text NOT NULL
);

-- migrate:down
