"""The text of a campaign file: YAML, numbers as people write them, what is wrong and where."""
