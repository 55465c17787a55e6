"""One self-contained page of a campaign: the answer first, then how it was found. It needs no network."""
