"""decide_release on artifacts."""

from __future__ import annotations

import pytest

from components.core.artifacts import manifest, read_json, tree_digest, write_json
from components.core.errors import DataError, GateError
from components.decide_release.step import DecideSettings, decide_release

GATES = [{"metric": "auc", "operator": ">=", "threshold": 0.7}]


@pytest.fixture
def ports(tmp_path, evaluation, measurements):
    write_json(tmp_path / "evaluation" / "evaluation.json", evaluation)
    write_json(tmp_path / "measurements" / "measurements.json", measurements)
    (tmp_path / "decision").mkdir()
    return {name: tmp_path / name for name in ("evaluation", "measurements", "decision")}


def _decide(ports, threshold=0.7):
    gates = [{**GATES[0], "threshold": threshold}]
    settings = DecideSettings.model_validate({"policy": {"gates": gates}})
    return decide_release(settings=settings, **ports)


def test_the_decision_names_what_it_was_made_from(ports):
    outcome = _decide(ports)
    decision = read_json(ports["decision"] / "decision.json")
    assert decision["evaluation_sha256"] == tree_digest(ports["evaluation"])
    assert decision["bundles"] == {"pytorch": "b" * 64, "tensorflow": "b" * 64}
    assert outcome.facts["winner"] == decision["winner"] == "tensorflow"
    assert [gate.name for gate in outcome.gates] == [
        "pytorch auc",
        "tensorflow auc",
    ]


def test_the_same_evidence_gives_the_same_bytes(ports):
    _decide(ports)
    first = manifest(ports["decision"])
    _decide(ports)
    assert manifest(ports["decision"]) == first


def test_a_refusal_leaves_its_decision_and_names_it(ports):
    with pytest.raises(GateError) as caught:
        _decide(ports, threshold=0.9)
    decision = read_json(ports["decision"] / "decision.json")
    assert (decision["go"], decision["winner"], decision["challenger"]) == (False, None, None)
    assert [row["name"] for row in decision["criteria"]][:2] == ["auc", "log_loss"]
    assert decision["would_change"][0].startswith("pytorch could be released if pytorch auc")
    for model in ("pytorch", "tensorflow"):
        assert [*(ports["decision"] / model).iterdir()]
    assert caught.value.facts == {
        "go": False,
        "winner": None,
        "challenger": None,
        "prefer": "auc",
        "reasons": decision["reasons"],
        "decision_sha256": tree_digest(ports["decision"]),
    }


def test_what_the_trainings_took_is_read_where_it_is_given(ports, tmp_path):
    for name, seconds in (("pytorch", 2.0), ("tensorflow", 1.0)):
        taken = {"device": "cpu", "cpu_seconds": seconds, "resumed_from_step": None}
        write_json(tmp_path / f"{name}_training" / "training.json", taken)
        ports[f"{name}_training"] = tmp_path / f"{name}_training"
    _decide(ports)
    rows = read_json(ports["decision"] / "decision.json")["criteria"]
    [row] = [row for row in rows if row["name"] == "training_seconds"]
    assert (row["pytorch"], row["tensorflow"], row["better"]) == (2.0, 1.0, "tensorflow")


def test_a_missing_evaluation_is_an_error(ports):
    (ports["evaluation"] / "evaluation.json").unlink()
    with pytest.raises(DataError, match=r"evaluation\.json is missing"):
        _decide(ports)
