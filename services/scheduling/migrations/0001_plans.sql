-- migrate:up

-- Plans are decisions: they stand outside generations, and are never solved again. Folding schedule.changes gives these tables
-- (all but the reasons of those without a seat, which are counted there).

-- Every plan ever published; the highest revision of a school's week is the one in force.
CREATE TABLE public.plans (
    plan     text PRIMARY KEY,
    school   text NOT NULL,
    week     date NOT NULL,            -- its Monday
    revision integer NOT NULL,
    input    bigint NOT NULL,          -- evidence.log was read up to this position
    entries  bigint NOT NULL,          -- how much was read of all inputs and partitions: a later snapshot has more
    digest   text NOT NULL,            -- of the solver's whole input
    seats    integer NOT NULL,
    unseated integer NOT NULL,
    time     timestamptz NOT NULL,     -- the tick up to which was read
    UNIQUE (school, week, revision)
);

-- The seats of the plans in force. Those of a plan that was replaced are in the outbox.
CREATE TABLE public.seats (
    plan       text NOT NULL REFERENCES public.plans,
    date       date NOT NULL,
    period     text NOT NULL,
    student    text NOT NULL,
    class      text NOT NULL,
    framework  text NOT NULL,
    competency text NOT NULL,
    reason     text NOT NULL,
    PRIMARY KEY (plan, date, period, student)
);

CREATE INDEX seats_of_a_student ON public.seats (student, date);

-- Who has no seat in a block of a plan in force, and why.
CREATE TABLE public.unseated (
    plan    text NOT NULL REFERENCES public.plans,
    date    date NOT NULL,
    period  text NOT NULL,
    student text NOT NULL,
    reason  text NOT NULL,
    PRIMARY KEY (plan, date, period, student)
);

CREATE INDEX unseated_of_a_student ON public.unseated (student, date);
