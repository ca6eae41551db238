"""Embeddings: pairs, batches in which each row meets all others, and views of one thing."""
