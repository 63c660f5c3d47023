-- migrate:up

-- The district's date on which a roster import began, until an import is finished: one that was killed and is run again with
-- the same files, even days later, states its changes under the same date, and so under the same ids.
CREATE TABLE public.roster_imports (
    roster  bytea PRIMARY KEY,  -- SHA-256 over the files
    today   date NOT NULL
);
