"""Numbers against numbers."""
