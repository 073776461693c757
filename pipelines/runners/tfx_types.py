"""Which TFX artifact each port of the stages is: TFX's standard type where it has one.

Rules: a port's name decides, because one noun means one artifact everywhere; what TFX has no type
for gets one of ours, named after the port; a parameter of the pipeline that TFX has an artifact
for is an input, which an Importer gives. No TFX is imported here: that takes 13 s of CPU.
"""

from __future__ import annotations

from collections.abc import Mapping

SCHEMA, SCHEMA_FILE = "schema", "schema.pbtxt"
STANDARD: Mapping[str, str] = {
    "examples": "Examples",
    "features": "Examples",
    SCHEMA: "Schema",
    "statistics": "ExampleStatistics",
    "validation": "ExampleAnomalies",
    "transform_graph": "TransformGraph",
    "pytorch_model": "Model",
    "tensorflow_model": "Model",
    "imported_model": "Model",
    "pytorch_training": "ModelRun",
    "tensorflow_training": "ModelRun",
    "evaluation": "ModelEvaluation",
    "decision": "ModelBlessing",
    "registration": "PushedModel",
}


def type_name(port: str) -> str:
    """Return the name of a port's type in ML Metadata."""
    return STANDARD.get(port) or f"Tandem{in_camel_case(port)}"


def in_camel_case(name: str) -> str:
    """Return the name of a stage or a port as TFX writes the names of classes."""
    return "".join(part.capitalize() for part in name.split("_"))
