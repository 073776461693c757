"""Train the PyTorch model and export its bundle."""
