"""The default use case: which flights arrive more than 15 minutes late."""
