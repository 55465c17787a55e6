"""The engine ``quantumespresso``: relaxations and what follows them with pw.x."""
