"""What every loss shares: types, the jit decorator, checks, the way in, the way out, devices."""
