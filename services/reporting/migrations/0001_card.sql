-- migrate:up

-- Reporting keeps everything in its generations (`generation.sql`), which the engine makes; outside them it has nothing.
COMMENT ON SCHEMA public IS 'cairn reporting: the engine''s tables; the read model is in the schemas reporting_g1, reporting_g2, …';
