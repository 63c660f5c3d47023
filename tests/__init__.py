"""Every promise of the platform, tested: see `suites.py` for what runs where and for how long."""
