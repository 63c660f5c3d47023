-- Mastery's view, one set of tables a generation. See store/ for who reads and writes what.

-- Short numbers for competencies, a partition: given in order of appearance under the partition's cursor lock.
CREATE TABLE competencies (
    partition  smallint NOT NULL,
    key        integer NOT NULL,
    framework  text NOT NULL,
    competency text NOT NULL,
    PRIMARY KEY (partition, framework, competency)
);

-- What a policy's position is called.
CREATE TABLE policies (
    position bigint PRIMARY KEY,
    policy   text NOT NULL,
    version  integer NOT NULL
);

-- One row a student. The arrays after `keys` are parallel to it: where she stands in each competency, and the bounded
-- tally from which the next piece goes on. What an event changes is at the end, so that the log of a row's update is short.
CREATE TABLE students (
    partition        smallint NOT NULL,
    student          text NOT NULL,
    school           text,
    enrolled         boolean NOT NULL,     -- false after a withdrawal: the school's policy is hers, but it does not count her
    grade            text,
    cohort           text,
    classes          text[] NOT NULL,
    since            date,
    programmes       text[] NOT NULL,
    programme_levels text[] NOT NULL,
    programme_since  date[] NOT NULL,
    programme_until  date[] NOT NULL,
    merged_into      text,                 -- the student she was merged into, while she is: then she is nobody here
    chapter          bigint NOT NULL,      -- the position of her last row in `chapters`, -1: none
    keys             integer[] NOT NULL,
    rules            bigint[] NOT NULL,    -- position of the policy version; NULL: no policy in force
    position         bigint NOT NULL,      -- of the last event that changed the row
    levels           smallint[] NOT NULL,  -- NULL: none, for a reason
    points           integer[] NOT NULL,   -- the rounded value in thousandths
    previous         smallint[] NOT NULL,
    reasons          text[] NOT NULL,
    counted          integer[] NOT NULL,   -- the tally: n, x, y of policies.py
    tally_x          double precision[] NOT NULL,
    tally_y          integer[] NOT NULL,
    last             timestamptz[] NOT NULL,
    PRIMARY KEY (partition, student)
-- An update finds room in its own page (about two kilobytes at 49 competencies), and a row is never moved out of line.
) WITH (fillfactor = 70, toast_tuple_target = 8160);

CREATE INDEX students_of_a_school ON students (partition, school, student);

-- Who a student was from a position on, until her next chapter: what a read as known then needs. Columns as in `students`.
CREATE TABLE chapters (
    partition        smallint NOT NULL,
    student          text NOT NULL,
    position         bigint NOT NULL,
    school           text,
    enrolled         boolean NOT NULL,
    grade            text,
    cohort           text,
    classes          text[] NOT NULL,
    since            date,
    programmes       text[] NOT NULL,
    programme_levels text[] NOT NULL,
    programme_since  date[] NOT NULL,
    programme_until  date[] NOT NULL,
    merged_into      text,
    PRIMARY KEY (partition, student, position)
);

-- The evidence, insert-only: a row holds what one transaction brought a student, at most 64 pieces, in parallel arrays.
-- Appending reads none of it; refolds and explanations read one student's.
CREATE TABLE pieces (
    partition smallint NOT NULL,
    student   text NOT NULL,
    first     bigint NOT NULL,  -- positions[1]
    positions bigint[] NOT NULL,
    keys      integer[] NOT NULL,
    times     timestamptz[] NOT NULL,
    sources   text[] NOT NULL,
    ids       text[] NOT NULL,
    sequences integer[] NOT NULL,
    scores    integer[] NOT NULL,  -- in thousandths
    scales    text[] NOT NULL,
    kinds     text[] NOT NULL,
    assessors text[] NOT NULL,
    contexts  text[] NOT NULL,
    attempts  smallint[] NOT NULL,
    PRIMARY KEY (partition, student, first)
);

-- Students enrolled now by school, competency and level, a partition, summed on reading. Level -1: evidence, but no level.
CREATE TABLE school_levels (
    partition  smallint NOT NULL,
    school     text NOT NULL,
    framework  text NOT NULL,
    competency text NOT NULL,
    level      smallint NOT NULL,
    students   integer NOT NULL,
    PRIMARY KEY (school, framework, competency, level, partition)
) WITH (fillfactor = 70);

CREATE INDEX school_levels_of_a_competency ON school_levels (framework, competency);
