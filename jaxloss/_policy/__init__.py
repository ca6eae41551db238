"""Reinforcement learning of policies: log-probabilities of what was done against those of an older policy."""
