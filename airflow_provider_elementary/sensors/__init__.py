"""What waits for Elementary."""
