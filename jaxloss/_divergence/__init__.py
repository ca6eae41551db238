"""Distributions against distributions."""
