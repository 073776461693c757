"""Train the Keras model and export its bundle."""
