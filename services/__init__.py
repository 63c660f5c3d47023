"""The four services, and the chassis that every process of theirs stands on."""
