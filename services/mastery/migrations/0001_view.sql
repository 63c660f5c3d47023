-- migrate:up

-- Mastery keeps everything in its generations (`generation.sql`), which the engine makes; outside them it has nothing.
COMMENT ON SCHEMA public IS 'cairn mastery: the engine''s tables; the view is in the schemas mastery_g1, mastery_g2, …';
