"""The audit trail: records, the log, the notary and its client, the verifier, queries."""
