"""A training over several nodes of a cluster."""
