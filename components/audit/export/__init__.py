"""What an auditor takes away: a version's records in one file, and what verifies it anywhere."""
