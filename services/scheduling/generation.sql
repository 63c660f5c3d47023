-- Scheduling's view, one set of tables a generation: what a plan is made from.

-- One row a student. The arrays are parallel: a competency of a framework, its level (NULL: evidence, but none), and the
-- position in evidence.log of the event that last moved it. A competency without evidence is not there.
CREATE TABLE students (
    partition    smallint NOT NULL,
    student      text PRIMARY KEY,
    school       text,
    grade        text,
    classes      text[] NOT NULL,
    frameworks   text[] NOT NULL,
    competencies text[] NOT NULL,
    levels       smallint[] NOT NULL,
    causes       bigint[] NOT NULL,
    merged       boolean NOT NULL  -- into another student: then she is nobody here
) WITH (fillfactor = 70);

CREATE INDEX students_of_a_school ON students (school) WHERE school IS NOT NULL;

-- The classes that a school has ever had. What they are now is in the engine's `versions`.
CREATE TABLE classes (
    school text NOT NULL,
    class  text NOT NULL,
    PRIMARY KEY (school, class)
);
