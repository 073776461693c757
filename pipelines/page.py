"""A static page from a template of this package: no script, no network, and everything escaped.

Rules: an undefined name in a template is an error, not a blank; every text is escaped; numbers,
sizes and durations are written as they are in the tables on the terminal.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from components.core.artifacts import write_text
from components.core.errors import PlatformError
from components.core.prices import cost_text
from pipelines.summary import seconds_text, size_text

MILLION = 1_000_000


def render_page(template: str, context: Mapping[str, Any]) -> str:
    """Return a page."""
    return _environment().get_template(template).render(context)


@functools.cache
def _environment() -> jinja2.Environment:
    """Return what keeps each template once it has been compiled."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "seconds": seconds_text,
        "size": size_text,
        "number": _number,
        "cost": cost_text,
    }
    return environment


def write_page(path: Path, page: str, remedy: str) -> Path:
    """Write a page whole or not at all, and return its path; PlatformError where it cannot be."""
    try:
        write_text(path, page)
    except OSError as error:
        raise PlatformError(f"{path} cannot be written: {error.strerror}", remedy=remedy) from error
    return path


def _number(value: Any) -> str:
    """Return a gate's number with six digits that count, millions whole; None not computable."""
    if value is None:
        return "not computable"
    return f"{value:,.0f}" if abs(value) >= MILLION else f"{value:.6g}"
