"""Of `jaxloss.testing`: the calls that are made of a loss, and what must hold of them."""
