"""Answers that people prefer to others: language models by their log-probabilities, rewards by their scores."""
