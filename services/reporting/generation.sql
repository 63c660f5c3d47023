-- The view's tables of one generation. The engine makes the schema and sets the search path.

-- A student's row: enrolment, what was seen of her, and her standing in each competency (parallel arrays, in order of
-- framework and competency). `causes` are positions in the log.
CREATE TABLE students (
    partition smallint NOT NULL,
    student text PRIMARY KEY,
    school text,
    grade text,
    cohort text,
    pieces integer NOT NULL,
    last_evidence timestamptz,
    frameworks text[] NOT NULL,
    competencies text[] NOT NULL,
    piece_counts integer[] NOT NULL,
    levels smallint[] NOT NULL,
    values_thousandths integer[] NOT NULL,
    policies text[] NOT NULL,
    policy_versions integer[] NOT NULL,
    reasons text[] NOT NULL,
    causes bigint[] NOT NULL,
    merged_into text -- the student she was merged into, while she is: then she is nobody here
) WITH (fillfactor = 80);
CREATE INDEX students_of_school ON students (school, student);
CREATE INDEX students_merged ON students (student) WHERE merged_into IS NOT NULL;

-- What is kept of the evidence, insert-only: a row holds what one transaction brought a student, in parallel arrays. Counting one
-- more piece reads none of it; a correction reads one student's.
CREATE TABLE pieces (
    partition smallint NOT NULL,
    student text NOT NULL,
    first bigint NOT NULL, -- positions[1]
    positions bigint[] NOT NULL,
    frameworks text[] NOT NULL,
    competencies text[] NOT NULL,
    times timestamptz[] NOT NULL,
    sources text[] NOT NULL,
    ids text[] NOT NULL,
    sequences integer[] NOT NULL,
    kinds text[] NOT NULL,
    assessors text[] NOT NULL,
    PRIMARY KEY (partition, student, first)
);

-- A seat is kept for good: last term's flex blocks are part of what a student was given.
CREATE TABLE seats (
    partition smallint NOT NULL,
    student text NOT NULL,
    date date NOT NULL,
    period text NOT NULL,
    plan text NOT NULL,
    school text NOT NULL,
    class text NOT NULL,
    framework text NOT NULL,
    competency text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (student, date, period)
);
CREATE INDEX seats_of_school ON seats (school, date, period);

-- Enrolled students by level, a partition, so that no two workers share a row; reading sums over partitions. '' rolls up:
-- all schools, all competencies. What nobody holds any more stays as a zero.
CREATE TABLE level_counts (
    school text NOT NULL,
    framework text NOT NULL,
    competency text NOT NULL,
    level smallint NOT NULL,
    partition smallint NOT NULL,
    students integer NOT NULL,
    PRIMARY KEY (school, framework, competency, level, partition)
) WITH (fillfactor = 70);
CREATE INDEX level_counts_of_framework ON level_counts (framework, competency, school);

-- Enrolled students and their pieces of evidence. '' rolls up: all schools, all grades.
CREATE TABLE head_counts (
    school text NOT NULL,
    grade text NOT NULL,
    partition smallint NOT NULL,
    students integer NOT NULL,
    pieces bigint NOT NULL,
    PRIMARY KEY (school, grade, partition)
) WITH (fillfactor = 70);

-- Versions of what was published, never changed; the last one counts. Every partition brings each, and the first is kept.
CREATE TABLE schools (
    school text NOT NULL,
    position bigint NOT NULL,
    label text NOT NULL,
    kind text,
    grades text[] NOT NULL,
    active boolean NOT NULL,
    PRIMARY KEY (school, position)
);
CREATE TABLE published (
    kind text NOT NULL,
    id text NOT NULL,
    position bigint NOT NULL,
    school text,
    data json NOT NULL,  -- the event's data as it was published
    PRIMARY KEY (kind, id, position)
);
CREATE INDEX published_of_school ON published (school, kind);

-- Plans of flex blocks. The last one of a week is the one that read the log furthest.
CREATE TABLE plans (
    plan text PRIMARY KEY,
    school text NOT NULL,
    week date NOT NULL,
    input bigint NOT NULL,
    planned timestamptz NOT NULL,
    seats integer NOT NULL,
    unseated integer NOT NULL
);
CREATE INDEX plans_of_school ON plans (school, week);
