"""The engine ``external``: a person, an instrument or another program answers; the campaign asks and waits."""
