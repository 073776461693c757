"""The exit task: close whatever is open and write the run's closing record."""
