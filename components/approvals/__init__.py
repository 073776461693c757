"""Who has approved a registered version, whose keys count here, and what is still asked for."""
