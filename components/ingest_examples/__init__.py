"""Read the source, join, label, split by span, write Parquet shards with a manifest."""
