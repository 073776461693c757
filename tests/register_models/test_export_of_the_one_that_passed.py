"""An export of a version whose rival failed a gate: that is no failure of the version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from release_chain import Chain

from components.audit.export import verify
from components.audit.verified_log import VerifiedLog
from components.register_models.logbook import Logbook
from pipelines.audit_export import export
from pipelines.home import Home

pytestmark = pytest.mark.slow


def test_a_gate_that_the_other_candidate_failed_is_no_finding(
    notary: Any, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registered = Chain(tmp_path / "run", "run-1").until_decision(tensorflow_auc=0.5).register()
    assert registered["challenger"] is None
    log = VerifiedLog.of(home)
    book = Logbook.of(log)
    (release,) = book.releases.values()
    decided = book.made(release)["decision"].audit["gates"]
    assert {gate["name"] for gate in decided if not gate["passed"]} == {"tensorflow auc"}
    path = tmp_path / "export.zip"
    path.write_bytes(export(Home.at(str(home)), log, release).data)
    assert verify.main([str(path)]) == 0, capsys.readouterr().out
