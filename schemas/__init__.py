"""Contracts as files: JSON Schemas of settings, records and model contracts; TFMD schemas."""
