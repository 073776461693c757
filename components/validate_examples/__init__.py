"""Statistics, schema anomalies and drift with TFDV; the first gate."""
