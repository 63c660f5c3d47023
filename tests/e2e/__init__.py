"""Whole journeys on a whole stack: what the README promises, submission to report, outage and replay."""
