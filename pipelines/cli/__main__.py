"""`python -m pipelines.cli` is `tandem`, for checkouts that are not installed."""

from pipelines.cli import run

run()
