-- migrate:up

-- The identity vault: who is behind a pseudonym. Its own role owns it, and the vault's connections take that role, so that no
-- other statement of the service reads it by accident and the vault's read nothing else. A role belongs to the whole cluster.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cairn_vault') THEN
        CREATE ROLE cairn_vault NOLOGIN NOINHERIT;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    RAISE NOTICE 'another database of this cluster made the role just now';
END $$;
GRANT cairn_vault TO CURRENT_USER;

CREATE SCHEMA vault;
REVOKE ALL ON SCHEMA vault FROM PUBLIC;

-- What publishers call a person. A pseudonym is random, never derived; several identifiers may lead to one.
CREATE TABLE vault.identifiers (
    scheme     text NOT NULL,
    value      text NOT NULL,
    pseudonym  text NOT NULL,
    PRIMARY KEY (scheme, value)
);
CREATE INDEX identifiers_of ON vault.identifiers (pseudonym);

CREATE TABLE vault.people (
    pseudonym     text PRIMARY KEY,
    given         text NOT NULL,
    family        text NOT NULL,
    lunch         text,
    demographics  jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX people_by_family ON vault.people (lower(family) text_pattern_ops);
CREATE INDEX people_by_given ON vault.people (lower(given) text_pattern_ops);

-- Keys of the vault. In production a key comes from outside and only its fingerprint is here, so that a wrong one is noticed
-- before it makes every resend look new.
CREATE TABLE vault.keys (
    name         text PRIMARY KEY,
    key          bytea,
    fingerprint  bytea NOT NULL
);

ALTER SCHEMA vault OWNER TO cairn_vault;
ALTER TABLE vault.identifiers OWNER TO cairn_vault;
ALTER TABLE vault.people OWNER TO cairn_vault;
ALTER TABLE vault.keys OWNER TO cairn_vault;
