-- migrate:up

-- An event that several students hold stands once in the partition of each: `partition` and `sequence` are its subject's place,
-- `further[n]` and `furthersequences[n]` those of the other holders, each partition once. NULL for nearly every event.
ALTER TABLE public.ledger ADD COLUMN further smallint[], ADD COLUMN furthersequences bigint[];
ALTER TABLE public.ledger ADD CONSTRAINT ledger_further CHECK (
    (further IS NULL) = (furthersequences IS NULL) AND cardinality(further) = cardinality(furthersequences)
    AND (further IS NULL OR subject IS NOT NULL)
);

-- The events of one student, for merges and corrections. A million positions are about a school day, so what an append touches
-- is a day's worth of this index, which is in memory; a look-up probes it once a million.
CREATE INDEX ledger_stories ON public.ledger ((position >> 20), subject) WHERE subject IS NOT NULL;

-- Who holds an event besides its subject: it stands in her partition too (`copy` NULL), or a copy of it does, at `copy`.
CREATE TABLE public.holders (
    position bigint NOT NULL,
    holder text COLLATE "C" NOT NULL,
    copy bigint,
    PRIMARY KEY (position, holder)
);
CREATE INDEX holders_holder ON public.holders (holder) WHERE copy IS NULL;

-- Where a record of evidence begins: by the key that its source gave it, and by any later event that belongs to it.
CREATE TABLE public.sourcekeys (
    source text COLLATE "C" NOT NULL,
    sourcekey text COLLATE "C" NOT NULL,
    record bigint NOT NULL,
    PRIMARY KEY (source, sourcekey)
);
CREATE TABLE public.records (
    position bigint PRIMARY KEY,
    record bigint NOT NULL
);
CREATE INDEX records_record ON public.records (record);

-- Which students are merged now, into whom, and the position of the event that says so.
CREATE TABLE public.merges (
    other text PRIMARY KEY,
    survivor text NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX merges_survivor ON public.merges (survivor);

-- The pseudonym that an identifier was given first, where a merge has it lead to another; NULL: it is `pseudonym`.
ALTER TABLE vault.identifiers ADD COLUMN own text;
CREATE INDEX identifiers_own ON vault.identifiers (own) WHERE own IS NOT NULL;
