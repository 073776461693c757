"""The built-in families in Keras, each a module with a `build_model`."""
