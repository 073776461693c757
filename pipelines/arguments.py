"""What a new run's pipeline is given, here and on a cluster: its settings and its identity."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

from components.core.canonical import sha256_bytes
from pipelines.identity import run_identity
from pipelines.loaded_settings import LoadedSettings
from pipelines.runners.run_folder import new_run_id
from pipelines.sources import pin_result, pin_sources


def sections_and_identity(
    loaded: LoadedSettings,
    ir: str,
    taken: Container[str],
    sources: Path,
    *,
    cache: bool,
    orchestrator: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the sections that a compiled pipeline takes, sources by digest, and a new identity.

    Relative sources start at `sources`. Raises SettingsError for files that are not there.
    """
    settings, run_id = loaded.settings, new_run_id()
    sections = {key: value for key, value in loaded.arguments().items() if key in taken}
    spans = settings.window.spans()
    pinned = pin_sources(settings.source, sources, spans=spans, run_id=run_id)
    checks = pin_result(settings.checks, sources)
    for name, section in (("source", pinned), ("checks", checks)):
        sections[name] = section.model_dump(mode="json", exclude_none=True)
    identity = run_identity(
        run_id=run_id,
        name=settings.name,
        ir_sha256=sha256_bytes(ir.encode()),
        settings_sha256=loaded.sha256,
        cache=cache,
        prices=settings.prices,
        orchestrator=orchestrator,
    )
    return sections, identity
