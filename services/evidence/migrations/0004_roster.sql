-- migrate:up

-- The last statement of everything that a roster import has put into the log, so that the next import adds changes only.
-- People are here by pseudonym: who they are, the vault alone knows. `version` counts the statements made about a thing.
CREATE TABLE public.roster_statements (
    kind     text NOT NULL,     -- school, calendar, staff, class
    key      text NOT NULL,
    schools  text[] NOT NULL,   -- an import speaks for the things of its own schools only
    version  integer NOT NULL,
    digest   bytea NOT NULL,
    data     jsonb NOT NULL,
    PRIMARY KEY (kind, key)
);

-- A student's: where she is enrolled now (NULL: nowhere), the digests of the statements of her history, her programmes.
CREATE TABLE public.roster_students (
    pseudonym   text PRIMARY KEY,
    school      text,
    version     integer NOT NULL,
    digests     bytea[] NOT NULL,
    programmes  jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX roster_students_school ON public.roster_students (school);
