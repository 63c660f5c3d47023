"""The contracts hold: schemas are frozen and compatible, golden bytes still decode, everything round-trips."""
