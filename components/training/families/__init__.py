"""The built-in families of models without a framework: their weights, and where those start."""
