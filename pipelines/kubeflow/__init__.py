"""Runs on a cluster, watched through Kubeflow Pipelines' own client."""
