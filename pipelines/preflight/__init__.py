"""What can be known to fail, found before anything is written or started."""
