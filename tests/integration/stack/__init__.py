"""The local stack itself: starting, surviving, refusing."""
