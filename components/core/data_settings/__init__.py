"""The sections of a run's settings that are about data: source, spans, checks, transform.

The rules of components/core/settings.py hold. A column is named as it is called in the examples.
"""

from components.core.data_settings.checks import Checks, ExampleValidatorResult, Severity
from components.core.data_settings.source import (
    DELIMITER_PATTERN,
    ColumnKind,
    DataCard,
    DropRule,
    Format,
    Join,
    Source,
    Splits,
    Table,
    Target,
    date_columns,
)
from components.core.data_settings.spans import (
    ONLY_SPAN,
    SPAN_PATTERN,
    WHOLE,
    Schedule,
    Span,
    Spans,
    Window,
)
from components.core.data_settings.transform import (
    Beam,
    DatePart,
    Feature,
    Transform,
    date_part_column,
)

__all__ = [
    "DELIMITER_PATTERN",
    "ONLY_SPAN",
    "SPAN_PATTERN",
    "WHOLE",
    "Beam",
    "Checks",
    "ColumnKind",
    "DataCard",
    "DatePart",
    "DropRule",
    "ExampleValidatorResult",
    "Feature",
    "Format",
    "Join",
    "Schedule",
    "Severity",
    "Source",
    "Span",
    "Spans",
    "Splits",
    "Table",
    "Target",
    "Transform",
    "Window",
    "date_columns",
    "date_part_column",
]
