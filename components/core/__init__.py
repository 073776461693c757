"""What all stages share: artifacts, canonical JSON and digests, errors, settings."""
