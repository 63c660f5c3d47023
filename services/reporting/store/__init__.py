"""All SQL of the service, by noun. Every function works on the tables of the generation in the connection's search path."""
