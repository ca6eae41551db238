"""Scores and embeddings that should differ by a margin."""
