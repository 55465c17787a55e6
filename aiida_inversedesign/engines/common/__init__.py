"""What engines share: the contract's work chain, job options, limits, properties of crystals, equations of state."""
