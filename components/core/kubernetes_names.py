"""How Kubernetes and KFP write names, quantities and places, each with words for whoever errs.

Sources: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and labels/,
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import Field

_IMAGE = r"^[a-z0-9][\w.:/-]*@sha256:[0-9a-f]{64}$"
_CPU = r"^([1-9][0-9]*m?|0?\.[0-9]+|[1-9][0-9]*\.[0-9]+)$"
_MEMORY = r"^[1-9][0-9]*(\.[0-9]+)?(Mi|Gi|Ti|M|G|T)$"
_DURATION = r"^[1-9][0-9]*[smh]$"
_BUCKET = r"^(s3|gs|minio)://[a-z0-9][\w.-]*(/[\w./-]*)?$"
_VARIABLE = r"^[A-Z][A-Z0-9_]*$"
_OBJECT = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
_LABEL_KEY = r"^([a-z0-9.-]+/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?$"
_LABEL_VALUE = r"^([A-Za-z0-9]([\w.-]*[A-Za-z0-9])?)?$"
_FOLDER = r"^/[\w./-]+$"
_KEY = r"^[\w.-]+$"
NAMESPACE = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
"""A label of DNS (RFC 1123), whole."""
GPU, TPU = "nvidia.com/gpu", "google.com/tpu"
"""The resources that accelerators are asked for by."""
_TOPOLOGY = r"^\d+x\d+(x\d+)?$"

WORDS: Mapping[str, str] = {
    _IMAGE: "an image by its digest, NAME@sha256:DIGEST",
    _CPU: "cores like 2, 0.5 or 500m",
    _MEMORY: "memory like 512Mi or 8Gi",
    _DURATION: "a time like 30s, 10m or 1h",
    _BUCKET: "a bucket like s3://BUCKET/PREFIX, which is where KFP keeps artifacts",
    _VARIABLE: "a variable like AWS_REGION",
    _OBJECT: "an object's name of small letters, digits, - and .",
    _LABEL_KEY: "a label like app or example.org/team",
    _LABEL_VALUE: "a label's value: 63 letters, digits, _, . and - at most",
    _FOLDER: "an absolute path",
    _KEY: "a key of letters, digits, _, . and -",
    _TOPOLOGY: "a topology like 2x2 or 2x2x4",
}
Image = Annotated[str, Field(pattern=_IMAGE)]
Cpu = Annotated[str, Field(pattern=_CPU)]
Memory = Annotated[str, Field(pattern=_MEMORY)]
Duration = Annotated[str, Field(pattern=_DURATION)]
Bucket = Annotated[str, Field(pattern=_BUCKET)]
Variable = Annotated[str, Field(pattern=_VARIABLE)]
ObjectName = Annotated[str, Field(pattern=_OBJECT, max_length=253)]
LabelKey = Annotated[str, Field(pattern=_LABEL_KEY, max_length=317)]
LabelValue = Annotated[str, Field(pattern=_LABEL_VALUE, max_length=63)]
Folder = Annotated[str, Field(pattern=_FOLDER)]
Key = Annotated[str, Field(pattern=_KEY)]
Topology = Annotated[str, Field(pattern=_TOPOLOGY)]

_UNITS: Mapping[str, Decimal] = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGT", start=2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("MGT", start=2)},
}


def amount_of(quantity: str) -> Decimal:
    """Return a Cpu in cores, or a Memory in bytes."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity).groups()  # type: ignore[union-attr]
    return Decimal(number) * _UNITS[unit]


def chips_of(topology: str) -> int:
    """Return the number of chips of a Topology."""
    return math.prod(int(side) for side in topology.split("x"))
