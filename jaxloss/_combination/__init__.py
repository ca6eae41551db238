"""Several losses as one number."""
