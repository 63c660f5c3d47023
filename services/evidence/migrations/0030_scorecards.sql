-- migrate:up

-- A sandbox publisher's events go the whole way and count nowhere (`sandbox.submitted`). A delivery is expected of a publisher
-- within so many hours after the last one, of which Saturdays and Sundays may not count; NULL: nothing is expected.
ALTER TABLE public.publishers
    ADD COLUMN sandbox boolean NOT NULL DEFAULT false,
    ADD COLUMN expected_hours integer CHECK (expected_hours > 0),
    ADD COLUMN weekdays boolean NOT NULL DEFAULT false;

-- Of the accepted, those that happened more than 7 days before they were recorded; and when anything was received last.
ALTER TABLE public.counters
    ADD COLUMN late bigint NOT NULL DEFAULT 0,
    ADD COLUMN last_seen timestamptz;

-- `counters.rejected` by reason, moved in the same transactions: a publisher's reasons always add up to it.
CREATE TABLE public.rejected_reasons (
    publisher text NOT NULL,
    code text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (publisher, code)
) WITH (fillfactor = 50);

-- What was rejected before there were reasons: as far as it is kept by its reason, the rest as `not-kept`.
INSERT INTO public.rejected_reasons SELECT publisher, code, count(*) FROM public.rejections GROUP BY 1, 2;
INSERT INTO public.rejected_reasons
SELECT c.publisher, 'not-kept', c.rejected - coalesce(r.kept, 0)
FROM public.counters c
LEFT JOIN (SELECT publisher, sum(count)::bigint AS kept FROM public.rejected_reasons GROUP BY 1) r USING (publisher)
WHERE c.rejected > coalesce(r.kept, 0);
