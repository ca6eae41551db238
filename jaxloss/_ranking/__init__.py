"""Ranked lists: scores of items against their relevance."""
