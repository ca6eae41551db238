"""Classes against logits or probabilities."""
