"""The image that a face names by default; runners pin the real one by digest."""

BASE_IMAGE = "python:3.11"
