"""The life of a stage: run_stage with a real step, real folders and a real notary."""

import json
from base64 import b64decode
from pathlib import Path

import pytest
from stage_ports import FolderPort

from components import stage as stage_module
from components.audit.attempts import attempt_here
from components.audit.client import connect
from components.audit.process import NotaryProcess
from components.core.artifacts import tree_digest, write_json
from components.core.errors import (
    DataError,
    GateError,
    IntegrityError,
    PlatformError,
    SettingsError,
)
from components.core.outcome import Gate, Outcome
from components.core.settings import Section
from components.stage import run_stage

RUN = {
    "id": "20130101T000000Z-abcdef",
    "name": "test",
    "trigger": "manual",
    "actor": "sha256:0000000000000000",
    "code": {"commit": "0" * 40, "dirty": False},
    "ir_sha256": "0" * 64,
    "settings_sha256": "0" * 64,
    "cache": True,
}

EARLIER = RUN | {"id": "20121231T000000Z-abcdef", "cache": False}
ADDRESS = "ann" + "@" + "example.org"


class DoubleSettings(Section):
    factor: int
    fail: str = ""


def train_pytorch(
    *,
    settings: DoubleSettings,
    features: Path,
    pytorch_model: Path,
    checkpoints: Path | None = None,
) -> Outcome:
    """Stand where a trainer stands: read one number, write it multiplied."""
    if checkpoints is not None:
        _keep_and_stop_once(checkpoints)
    number = json.loads((features / "number.json").read_text())
    if settings.fail == "gate":
        gate = Gate("quality", "auc", 0.5, ">=", 0.6)
        raise GateError("auc is 0.5", remedy="", gates=[gate.to_dict()], facts={"rows": 1})
    if settings.fail == "disk":
        raise OSError(28, "No space left on device", str(pytorch_model))
    if settings.fail == "bug":
        raise ZeroDivisionError("division by zero\nmore")
    if settings.fail == "nothing":
        return Outcome()
    if settings.fail == "cause":
        raise DataError(f"row of {ADDRESS} is no number", remedy="mend it")
    write_json(pytorch_model / "number.json", number * settings.factor)
    if settings.fail == "facts":
        return Outcome(facts={"rows": 1, "notes": [{"seen": f"first row: {ADDRESS}"}]})
    return Outcome(facts={"rows": 1}, metadata={"pytorch_model": {"framework": "pytorch"}})


def _keep_and_stop_once(checkpoints: Path) -> None:
    """Leave a file in the checkpoints' folder and be preempted, or find the file there."""
    if not checkpoints.is_dir():
        checkpoints.mkdir(parents=True)
        (checkpoints / "step").write_text("7")
        raise PlatformError("the machine was taken away", remedy="resume the run")
    assert (checkpoints / "step").read_text() == "7"


@pytest.fixture
def features(tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    write_json(folder / "number.json", 21)
    return FolderPort(str(folder), {"sha256": tree_digest(folder), "record": ""})


def make_features(*, settings: DoubleSettings, features: Path) -> Outcome:
    """Stand where the transform stands: write the number that a trainer reads."""
    write_json(features / "number.json", 21)
    return Outcome()


@pytest.fixture
def notary(tmp_path, monkeypatch, features):
    home = tmp_path / "home"
    with NotaryProcess(home) as process:
        monkeypatch.setenv("TANDEM_HOME", str(home))
        monkeypatch.setenv("TANDEM_NOTARY", process.address)
        record(features)
        monkeypatch.setenv("TANDEM_CACHE", str(home / "cache"))
        yield connect()


def record(features):
    """Have the features made anew, by a stage of an earlier run that the notary knows."""
    made = {"run": EARLIER, "parameters": {"factor": 1.0}, "inputs": {}}
    run_stage(make_features, **made, outputs={"features": features})


def call(tmp_path, features, name="model", run=RUN, **parameters):
    port = FolderPort(str(tmp_path / name))
    run_stage(
        train_pytorch,
        run=run,
        parameters={"factor": 2.0, **parameters},
        inputs={"features": features},
        outputs={"pytorch_model": port},
    )
    return port


def events(notary):
    return [view.event for view in notary.records(RUN["id"])]


def test_a_stage_leaves_its_output_a_digest_and_two_records(tmp_path, features, notary):
    port = call(tmp_path, features)
    assert json.loads(Path(port.path, "number.json").read_text()) == 42
    assert port.metadata["sha256"] == tree_digest(Path(port.path))
    assert port.metadata["framework"] == "pytorch"
    assert events(notary) == ["START", "COMPLETE"]
    assert port.metadata["record"] == notary.records(RUN["id"])[-1].record


def test_two_runs_of_a_platform_by_one_submission_have_records_of_their_own(
    tmp_path, features, notary, monkeypatch
):
    platforms = ("238f5fbc-4a75-464e-aeee-3798ec6036e3", "f53615aa-4a75-464e-aeee-3798ec6036e3")
    for number, name in enumerate(platforms):
        monkeypatch.setenv("TANDEM_PLATFORM_RUN", name)
        call(tmp_path, features, name=f"model-{number}", run=RUN | {"cache": False})
        found = notary.records(f"{RUN['id']}-{name[:8]}")
        assert [view.event for view in found] == ["START", "COMPLETE"]
    assert events(notary) == []


def test_a_closing_stage_is_told_the_run_as_its_records_name_it(tmp_path, notary, monkeypatch):
    from components.seal_run.step import seal_run

    monkeypatch.setenv("TANDEM_PLATFORM_RUN", "238f5fbc-4a75-464e-aeee-3798ec6036e3")
    port = FolderPort(str(tmp_path / "closing"))
    parameters = {"run": RUN, "state": "SUCCEEDED"}
    run_stage(seal_run, run=RUN, parameters=parameters, inputs={}, outputs={"closing": port})
    said = json.loads(Path(port.path, "closing.json").read_text())
    assert said["run"] == f"{RUN['id']}-238f5fbc"


def test_a_second_run_with_everything_the_same_is_a_recorded_cache_hit(tmp_path, features, notary):
    first = call(tmp_path, features)
    second = call(tmp_path, features, "again")
    assert second.metadata["cached"] is True
    assert second.metadata["sha256"] == first.metadata["sha256"]
    assert events(notary) == ["START", "COMPLETE", "CACHED"]


def test_another_setting_is_no_cache_hit(tmp_path, features, notary):
    call(tmp_path, features)
    port = call(tmp_path, features, "again", factor=3)
    assert "cached" not in port.metadata
    assert json.loads(Path(port.path, "number.json").read_text()) == 63


def test_a_damaged_cached_output_is_made_again(tmp_path, features, notary):
    first = call(tmp_path, features)
    Path(first.path, "number.json").write_text("41")
    second = call(tmp_path, features, "again")
    assert "cached" not in second.metadata
    assert json.loads(Path(second.path, "number.json").read_text()) == 42


def test_no_cache_does_the_work_again(tmp_path, features, notary):
    call(tmp_path, features)
    port = call(tmp_path, features, "again", run=RUN | {"cache": False})
    assert "cached" not in port.metadata


def test_a_changed_step_is_no_cache_hit(tmp_path, features, notary, monkeypatch):
    call(tmp_path, features)
    monkeypatch.setattr(stage_module, "step_modules", lambda *_: ["components.core.errors"])
    assert "cached" not in call(tmp_path, features, "again").metadata


def test_a_swapped_artifact_stops_the_next_stage(tmp_path, features, notary):
    write_json(Path(features.path, "number.json"), 22)
    with pytest.raises(IntegrityError, match="input features differs"):
        call(tmp_path, features)
    assert events(notary) == ["FAIL"]


def test_a_pod_counts_its_attempts_by_the_log(tmp_path, features, notary, monkeypatch):
    """No platform tells it; those of another run of the platform are not its own."""
    monkeypatch.setenv("TANDEM_PLATFORM_RUN", "238f5fbc-4a75-464e-aeee-3798ec6036e3")
    run = RUN | {"cache": False}
    for name, fail in (("first", "disk"), ("second", "gate"), ("third", "")):
        try:
            call(tmp_path, features, name=name, run=run, fail=fail)
        except (PlatformError, GateError):
            assert fail
    monkeypatch.setenv("TANDEM_PLATFORM_RUN", "f53615aa-4a75-464e-aeee-3798ec6036e3")
    call(tmp_path, features, name="other", run=run)
    found = notary.records(f"{RUN['id']}-238f5fbc") + notary.records(f"{RUN['id']}-f53615aa")
    assert [(view.event, view.attempt) for view in found] == [
        ("START", 1),
        ("FAIL", 1),
        ("START", 2),
        ("FAIL", 2),
        ("START", 3),
        ("COMPLETE", 3),
        ("START", 1),
        ("COMPLETE", 1),
    ]


def test_where_no_notary_answers_a_pod_is_the_first_attempt(monkeypatch, caplog):
    class Gone:
        """A notary that does not answer: the far side of the client."""

        def records(self, run):
            raise PlatformError("nobody answers", remedy="start it")

    monkeypatch.setenv("TANDEM_PLATFORM_RUN", "238f5fbc-4a75-464e-aeee-3798ec6036e3")
    assert attempt_here(Gone(), "run-1", "train_pytorch") == 1
    assert "nobody answers" in caplog.text


def test_a_failed_gate_is_recorded_with_its_cause_and_facts(tmp_path, features, notary):
    with pytest.raises(GateError, match=r"auc is 0\.5"):
        call(tmp_path, features, fail="gate")
    assert events(notary) == ["START", "FAIL"]
    record = notary.records(RUN["id"])[-1]
    assert (record.cause["message"], record.facts) == ("auc is 0.5", {"rows": 1})


def test_a_full_disk_is_the_platforms_fault(tmp_path, features, notary):
    with pytest.raises(PlatformError, match="No space left on device"):
        call(tmp_path, features, fail="disk")
    assert events(notary) == ["START", "FAIL"]


def test_a_bug_in_user_code_is_one_line_with_its_type(tmp_path, features, notary):
    with pytest.raises(DataError, match=r"ZeroDivisionError in test_stage.py, line \d+$"):
        call(tmp_path, features, fail="bug")


def test_an_output_that_stayed_empty_fails_the_stage(tmp_path, features, notary):
    with pytest.raises(DataError, match="wrote nothing to pytorch_model"):
        call(tmp_path, features, fail="nothing")
    assert events(notary) == ["START", "FAIL"]


def test_without_a_notary_the_work_is_done_and_the_output_has_no_record(
    tmp_path, features, monkeypatch
):
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)
    monkeypatch.delenv("TANDEM_CACHE", raising=False)
    assert call(tmp_path, features).metadata["record"] == ""


def test_a_notary_that_does_not_answer_stops_the_stage_before_the_work(
    tmp_path, features, monkeypatch
):
    monkeypatch.setenv("TANDEM_NOTARY", f"unix:{tmp_path}/nobody")
    with pytest.raises(PlatformError, match=r"the notary at .* does not answer"):
        call(tmp_path, features)
    assert not (tmp_path / "model").exists()


def test_a_cache_that_cannot_be_written_does_not_fail_a_recorded_stage(
    tmp_path, features, notary, monkeypatch
):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "file"))
    assert call(tmp_path, features).metadata["sha256"]
    assert events(notary) == ["START", "COMPLETE"]


def test_a_machine_error_outside_the_step_is_recorded_too(tmp_path, features, notary):
    (tmp_path / "model").write_text("a file stands where the output folder should be")
    with pytest.raises(PlatformError, match="File exists"):
        call(tmp_path, features)
    assert events(notary) == ["START", "FAIL"]


def test_a_notary_that_died_does_not_hide_why_the_stage_failed(
    tmp_path, features, monkeypatch, caplog
):
    with NotaryProcess(tmp_path / "home") as process:
        monkeypatch.setenv("TANDEM_NOTARY", process.address)
        record(features)
        monkeypatch.setattr(stage_module, "_work", lambda *_: (process.stop(), gate_fails())[1])
        with pytest.raises(GateError, match=r"auc is 0\.5"):
            call(tmp_path, features)
    assert "is not recorded" in caplog.text


def gate_fails():
    raise GateError("auc is 0.5", remedy="train longer")


def test_a_cache_whose_records_the_log_does_not_know_is_not_used(
    tmp_path, features, notary, monkeypatch
):
    call(tmp_path, features)
    with NotaryProcess(tmp_path / "another") as another:
        monkeypatch.setenv("TANDEM_NOTARY", another.address)
        record(features)
        port = call(tmp_path, features, "again")
        assert "cached" not in port.metadata
        assert [view.event for view in connect().records(RUN["id"])] == ["START", "COMPLETE"]


@pytest.mark.parametrize("cache", [True, False])
def test_checkpoints_wait_for_the_next_attempt_and_go_when_the_stage_is_done(
    tmp_path, features, notary, monkeypatch, cache
):
    place, run = tmp_path / "checkpoints", RUN | {"cache": cache}
    monkeypatch.setenv("TANDEM_CHECKPOINTS", str(place))
    with pytest.raises(PlatformError, match="taken away"):
        call(tmp_path, features, run=run)
    assert [path.name for path in place.glob("*/*")] == ["step"]
    call(tmp_path, features, run=run)
    assert list(place.iterdir()) == []


def test_other_settings_never_meet_these_checkpoints(tmp_path, features, notary, monkeypatch):
    monkeypatch.setenv("TANDEM_CHECKPOINTS", str(tmp_path / "checkpoints"))
    for factor in (2.0, 3.0):
        with pytest.raises(PlatformError, match="taken away"):
            call(tmp_path, features, factor=factor)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


@pytest.mark.parametrize(
    ("fail", "where", "recorded"),
    [
        ("facts", "facts.notes[0].seen", ["START", "FAIL"]),
        ("cause", "cause.message", ["START", "FAIL"]),
        (ADDRESS, "settings.fail", ["FAIL"]),
    ],
)
def test_personal_data_in_what_a_stage_says_fails_it_and_is_not_recorded(
    tmp_path, features, notary, fail, where, recorded
):
    with pytest.raises(DataError) as failure:
        call(tmp_path, features, fail=fail)
    if fail != "cause":  # which was the stage's own failure
        expected = f"{where} of the record of train_pytorch holds what looks like an e-mail address"
        assert failure.value.message == expected
        assert "leave it out" in failure.value.remedy
    assert events(notary) == recorded
    view = notary.records(RUN["id"])[-1]
    assert where in view.cause["message"]
    stored = (tmp_path / "home/audit/log/entries").rglob("*.json")
    payloads = [json.loads(b64decode(json.loads(p.read_bytes())["payload"])) for p in stored]
    assert len(payloads) == len(recorded) + len(notary.records(EARLIER["id"]))
    assert ADDRESS not in json.dumps(payloads)


def test_every_record_that_ends_an_attempt_says_what_it_took_and_which_attempt_it_was(
    tmp_path, features, notary, monkeypatch
):
    with pytest.raises(PlatformError):
        call(tmp_path, features, name="first", fail="disk")
    monkeypatch.setenv("TANDEM_ATTEMPT", "2")
    call(tmp_path, features, name="second")
    call(tmp_path, features, name="third", run={**RUN, "id": "20130102T000000Z-abcdef"})
    views = notary.records(RUN["id"]) + notary.records("20130102T000000Z-abcdef")
    assert [(view.event, view.attempt) for view in views] == [
        ("START", 1),
        ("FAIL", 1),
        ("START", 2),
        ("COMPLETE", 2),
        ("CACHED", 2),
    ]
    measured = {"wall_seconds", "cpu_seconds", "peak_memory_bytes"}
    for view in views:
        expected = set() if view.event == "START" else measured
        assert view.resources.keys() - {"gpu_seconds"} == expected
    assert views[-1].resources["peak_memory_bytes"] > 0


def test_with_prices_a_failed_attempt_has_its_cost_too(tmp_path, features, notary):
    prices = {"currency": "EUR", "cpu_hour": 3600.0, "gpu_hour": 0.0, "tpu_hour": 0.0}
    with pytest.raises(PlatformError):
        call(tmp_path, features, run={**RUN, "prices": prices}, fail="disk")
    start, failed = notary.records(RUN["id"])
    assert "cost" not in start.resources
    spent = failed.resources["cpu_seconds"]
    assert failed.resources["cost"] == {"amount": pytest.approx(spent), "currency": "EUR"}


def test_a_stage_that_fails_before_its_work_can_begin_is_recorded_too(tmp_path, features, notary):
    with pytest.raises(SettingsError, match="cannot use its parameter factor"):
        call(tmp_path, features, factor="many")
    (record,) = notary.records(RUN["id"])
    assert (record.event, record.stage, record.start) == ("FAIL", "train_pytorch", None)
    assert record.cause["kind"] == "SettingsError"
    assert record.parents == (features.metadata["record"],)


def test_an_input_that_no_record_stands_behind_stops_the_stage_before_the_work(
    tmp_path, features, notary
):
    features.metadata["record"] = ""
    with pytest.raises(IntegrityError, match="is not in the log"):
        call(tmp_path, features)
    assert events(notary) == ["FAIL"]
    assert not (tmp_path / "model").exists()
