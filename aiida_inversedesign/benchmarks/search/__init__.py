"""Searches in pools whose answers are known: how many evaluations each way of choosing needs for its hits.

The loop works on feature matrices and calls the functions that campaigns call; it imports no aiida.
"""
