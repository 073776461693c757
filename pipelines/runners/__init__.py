"""The places a compiled pipeline can run."""
