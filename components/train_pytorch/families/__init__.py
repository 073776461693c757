"""The built-in families in PyTorch, each a module with a `build_model`."""
