"""What both trainers share and neither framework knows: batches, composition, proof, sealing."""
