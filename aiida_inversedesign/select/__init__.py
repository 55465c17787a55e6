"""Which of the candidates to evaluate next: acquisitions, batches, initial design. Imports no aiida."""
