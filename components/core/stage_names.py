"""The names of stages that other stages, the audit trail and the commands go by."""

from __future__ import annotations

INGESTING = "ingest_examples"
VALIDATING = "validate_examples"
DECIDING = "decide_release"
REGISTERING = "register_models"
SEALING = "seal_run"
