"""A model that was trained elsewhere: what it is, proven to run, in a bundle with a contract."""
