"""The SQL of the evidence service, a file a noun."""
