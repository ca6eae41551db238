"""Sequences whose alignment isn't known, and sequences of labels."""
