"""Regions of pixels, and whole images."""
