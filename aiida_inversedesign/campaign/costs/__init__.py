"""What a campaign may cost: budgets, the least that an evaluation takes, process slots."""
