"""What auditors' texts ask for, as data: read by components/audit/requirements.py."""
