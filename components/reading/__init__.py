"""Reading a source: files of any place and format, and databases, as batches of four types."""
