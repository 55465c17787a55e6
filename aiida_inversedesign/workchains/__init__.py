"""The processes of a campaign: the loop over generations, and one generation."""
