"""`tandem runs --cluster` says what runs cost, by records of a real log and a real notary."""

from __future__ import annotations

from pathlib import Path

import kfp_server_api as api
import pytest
from asked import said
from kfp_server import KfpServer
from recorded_stages import ID, identity, records_of

from components.audit.process import NotaryProcess
from components.core.stage_identity import PLATFORM_RUN_VARIABLE
from pipelines.cli import main

pytestmark = pytest.mark.slow
SPEC = {"root": {"inputDefinitions": {"parameters": {"run": {"parameterType": "STRUCT"}}}}}
ELSEWHERE = ["a log", "a notary"]
PRICES = {"currency": "EUR", "cpu_hour": 0.04}


def paid(amount: float) -> dict[str, object]:
    used = {"wall_seconds": 1.0, "cpu_seconds": 1.0, "peak_memory_bytes": 1}
    return used | {"cost": {"amount": amount, "currency": "EUR"}}


@pytest.fixture
def run_id(served: KfpServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return KFP's id of a run of one stage, beside one of which there are no records."""
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)
    ids = ran(served, {"id": ID, "prices": PRICES})
    monkeypatch.setenv(PLATFORM_RUN_VARIABLE, ids[0])
    return ids[0]


def ran(served: KfpServer, identity: dict[str, object]) -> list[str]:
    store = served.store
    experiment = store.create_experiment("team-a", api.V2beta1Experiment(display_name="tandem"))
    ids = []
    for name in ("flights-2013-01-0123456789ab", "other"):
        body = api.V2beta1Run(
            display_name=name,
            experiment_id=experiment.experiment_id,
            pipeline_spec=SPEC,
            runtime_config=api.V2beta1RuntimeConfig(parameters={"run": identity}),
        )
        ids.append(str(store.create_run(body).run_id))
        store.task(ids[-1], "train-pytorch", "SUCCEEDED")
    return ids


@pytest.fixture
def home(run_id: str, tmp_path: Path) -> Path:
    """Return a home whose log has two attempts of the stage, both with a cost."""
    home = tmp_path / "home"
    with records_of(home, run_id) as stages:
        stages.fail("train_pytorch", stages.start("train_pytorch"), resources=paid(0.5))
        again = stages.start("train_pytorch")
        stages.complete("train_pytorch", again, resources=paid(1.25))
    return home


@pytest.mark.parametrize("kept", ELSEWHERE)
def test_runs_are_listed_and_shown_with_what_they_cost(
    run_id: str, home: Path, kept: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    def asked(place: Path) -> None:
        listed = said(capsys, "runs", "--cluster", "--home", str(place))[1]
        cost = {"amount": 1.75, "currency": "EUR"}
        assert [run["cost"] for run in listed["runs"]] == [cost, None]
        assert listed["runs"][0]["recorded_as"] == identity(run_id)["id"]
        assert listed["costs_unknown"] is None
        assert main(["runs", "--cluster", "--home", str(place)]) == 0
        first, second = capsys.readouterr().out.splitlines()
        assert "1.75 EUR  flights-2013-01" in first
        assert second.endswith("  -  other")
        shown = said(capsys, "runs", "show", run_id, "--cluster", "--home", str(place))[1]
        assert (shown["cost"], shown["costs"]) == (cost, {"train-pytorch": cost})
        assert main(["runs", "show", run_id, "--cluster", "--home", str(place)]) == 0
        assert "cost 1.75 EUR" in capsys.readouterr().out

    if kept == "a log":
        asked(home)
        return
    with NotaryProcess(home) as process:
        monkeypatch.setenv("TANDEM_NOTARY", process.address)
        asked(tmp_path / "nothing")


@pytest.mark.parametrize("kept", ELSEWHERE)
def test_where_no_records_can_be_read_costs_are_a_dash_and_why_is_said(
    run_id: str, kept: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    cause = "no usable public key at"
    if kept == "a notary":
        monkeypatch.setenv("TANDEM_NOTARY", f"unix:{tmp_path}/nobody.sock")
        cause = "does not answer"
    words = ("runs", "--cluster", "--home", str(tmp_path / "nothing"))
    code, answer = said(capsys, *words)
    assert (code, [run["cost"] for run in answer["runs"]]) == (0, [None, None])
    assert cause in answer["costs_unknown"]
    assert main([*words]) == 0
    told = capsys.readouterr()
    assert all("  -  " in line for line in told.out.splitlines())
    assert f"costs are not known: {answer['costs_unknown']}" in told.err
    assert not (tmp_path / "nothing").exists()


def test_of_runs_whose_settings_name_no_prices_nothing_is_said(
    served: KfpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(served, {"id": ID})
    words = ("runs", "--cluster", "--home", str(tmp_path / "nothing"))
    answer = said(capsys, *words)[1]
    assert (answer["costs_unknown"], [run["is_priced"] for run in answer["runs"]]) == (
        None,
        [False] * 2,
    )
    assert main([*words]) == 0
    told = capsys.readouterr()
    assert (told.err, "  -  " in told.out) == ("", False)
