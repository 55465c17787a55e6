"""Whole searches on hidden truth: what each arm finds in chemical systems whose stable compounds are known."""
