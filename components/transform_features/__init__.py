"""One TFT transform for both frameworks; dense features and a transform graph."""
