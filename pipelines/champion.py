"""The champion of a run: asked of the registry when the run starts.

Rules: where a local registry answers by itself (it is missing or surely has no champion, and no
record of the home's log ever promoted a version; or the champion's files lie here), no process is
started; the process may load MLflow, this one never does; what it refuses is raised here as the
same error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from components.core.errors import PlatformError, error_from_dict
from components.core.quiet import QUIET
from components.register_models.champion import champion_here, surely_absent
from components.register_models.recorded_champion import surely_unrecorded
from components.register_models.taken_name import require_free_locally
from pipelines.home import Home

MODULE = "components.register_models.champion"
SECONDS = 120


def resolve(model_name: str, home: Home) -> dict[str, Any]:
    """Return what the alias `champion` of a registered model stands for, {} where there is none.

    Raises IntegrityError where the home's log knows another champion, or one and MLflow none, and
    SettingsError for a name that others have taken.
    """
    require_free_locally(home.tracking_uri, model_name)
    if surely_absent(home.tracking_uri, model_name) and surely_unrecorded(home.folder):
        return {}
    if (here := champion_here(home.tracking_uri, model_name, home.folder)) is not None:
        return here
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", MODULE, model_name],
            env={**QUIET, **os.environ, "TANDEM_HOME": str(home.folder)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        raise PlatformError(
            f"the registry at {home.tracking_uri} did not answer in {SECONDS} s",
            remedy="start it, or correct MLFLOW_TRACKING_URI",
        ) from None
    except ValueError:
        lines = done.stderr.strip().splitlines()
        raise PlatformError(
            f"the champion was not found: {lines[-1] if lines else 'no answer'}",
            remedy=f"see what `python -m {MODULE} {model_name}` says",
        ) from None
    if "error" in answer:
        raise error_from_dict(answer["error"])
    champion: dict[str, Any] = answer["champion"]
    return champion
