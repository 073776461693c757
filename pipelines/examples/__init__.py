"""Use cases: settings, data card, preprocessing and the two model functions."""
