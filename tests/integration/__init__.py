"""Tests on real Kafka and Postgres."""
