"""Commands that check before anything runs: ``schema``, ``check``, ``doctor``."""
