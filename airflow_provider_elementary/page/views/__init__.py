"""The views of the Elementary page: each makes, out of what the store holds, what one template shows."""
