"""Graphs of TensorFlow as ONNX: what a transform and a model from elsewhere are carried by."""
