"""All SQL of mastery, by noun. Unqualified names are tables of the generation in `search_path`; see `generation.sql`."""
