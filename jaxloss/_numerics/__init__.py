"""Functions that are right at every extreme, in the value and in the derivatives; of no family in particular."""
