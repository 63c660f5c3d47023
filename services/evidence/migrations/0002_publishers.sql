-- migrate:up

-- Who may send, and what. A key is 256 random bits, so its hash is a fast one (SHA-256): there is nothing to guess that a slow
-- hash would protect, and every request pays for it. Without a key: a door of the service itself, such as the roster import.
CREATE TABLE public.publishers (
    name     text PRIMARY KEY,
    keyhash  bytea UNIQUE CHECK (octet_length(keyhash) = 32),
    types    text[] NOT NULL,
    schools  text[],            -- NULL: all of the district's
    created  timestamptz NOT NULL DEFAULT now(),
    revoked  timestamptz
);
