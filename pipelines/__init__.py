"""What runs when: the DAG, its settings, the runners and the command line."""
