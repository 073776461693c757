"""Measure both bundles, as a consumer would, on the same raw rows; TFMA results."""
