"""Boxes around objects, and how sure a detector is of them."""
