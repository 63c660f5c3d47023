-- migrate:up

-- Events a second that a publisher may send, over all doors and gateways. NULL: what the service's setting says.
ALTER TABLE public.publishers ADD COLUMN quota integer CHECK (quota > 0);

-- What each publisher took of its quota in this window and the one before. Gateways take a share at a time. Not logged: after a
-- crash of the database every window begins anew.
CREATE UNLOGGED TABLE public.quota_windows (
    key       text PRIMARY KEY,
    seconds   integer NOT NULL, -- a window's length
    number    bigint NOT NULL,  -- of the window: its beginning over its length
    taken     bigint NOT NULL,
    previous  bigint NOT NULL   -- taken in the window before
) WITH (fillfactor = 50);
