"""Numbers under a predicted distribution."""
