"""Register the winner and the challenger in MLflow, once their records are proven."""
