"""What a campaign did and cost, from provenance alone and read only."""
