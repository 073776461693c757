"""The history in a store of ML Metadata, which TFX keeps, as imported records of the audit log."""
