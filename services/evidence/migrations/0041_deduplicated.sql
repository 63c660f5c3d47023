-- migrate:up

-- How far the log was searched for the same id under another day: everything below `position`, on the district's `date`.
CREATE TABLE public.deduplicated (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    position  bigint NOT NULL,
    date      date
);
INSERT INTO public.deduplicated (position) VALUES (0);

-- What was appended lately lies together in each partition: a summary of a few kilobytes finds it, and costs an append nothing.
CREATE INDEX seen_position ON public.seen USING brin (position);
