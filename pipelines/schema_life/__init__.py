"""A schema's life beside the runs: inferred once, reviewed against data, changed by a person."""
