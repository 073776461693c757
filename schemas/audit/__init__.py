"""JSON Schemas of the audit trail's records, one for each predicate type, and of drafts."""
