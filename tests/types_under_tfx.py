"""The TFX type that each artifact has under the TFX runner, for who tests it."""

TYPES = {
    "examples": "Examples",
    "statistics": "ExampleStatistics",
    "schema": "Schema",
    "validation": "ExampleAnomalies",
    "transform_graph": "TransformGraph",
    "features": "Examples",
    "pytorch_model": "Model",
    "tensorflow_model": "Model",
    "imported_model": "Model",
    "pytorch_training": "ModelRun",
    "tensorflow_training": "ModelRun",
    "evaluation": "ModelEvaluation",
    "measurements": "TandemMeasurements",
    "decision": "ModelBlessing",
    "registration": "PushedModel",
}
"""By the noun of the pipelines."""
