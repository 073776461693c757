"""What must hold before a registration: decisions here, records with a real notary below."""

from __future__ import annotations

import pytest
import tiny_bundles
from release_chain import REGISTRY, Chain

from components.audit.client import Notary, connect
from components.core.artifacts import tree_digest
from components.core.errors import GateError, IntegrityError, UnverifiableError
from components.register_models.evidence import input_digests, proven_records, roles
from components.register_models.step import RegisterSettings, register_models

DIGESTS = {"evaluation": "e", "pytorch_model": "p", "tensorflow_model": "t", "decision": "d"}
EVALUATION = {"models": {"pytorch": {"bundle_sha256": "p"}, "tensorflow": {"bundle_sha256": "t"}}}
DECISION = {"go": True, "winner": "pytorch", "challenger": "tensorflow", "evaluation_sha256": "e"}
INPUTS = ("pytorch_model", "tensorflow_model", "evaluation", "decision")


def test_the_decision_gives_each_model_its_role():
    assert roles(DECISION, EVALUATION, DIGESTS) == {
        "candidate": "pytorch",
        "challenger": "tensorflow",
    }


def test_a_model_that_the_decision_does_not_name_has_no_role():
    alone = {**DECISION, "winner": "tensorflow", "challenger": None}
    assert roles(alone, EVALUATION, DIGESTS) == {"candidate": "tensorflow"}


@pytest.mark.parametrize("go", [False, None, "true", 1])
def test_anything_but_go_releases_nothing(go):
    with pytest.raises(GateError):
        roles({**DECISION, "go": go}, EVALUATION, DIGESTS)


@pytest.mark.parametrize(
    "change",
    [
        {"evaluation_sha256": "another"},
        {"evaluation_sha256": None},
        {"winner": None},
        {"winner": "tensorflow"},
        {"winner": "champion"},
    ],
)
def test_a_decision_about_something_else_is_refused(change):
    with pytest.raises(IntegrityError):
        roles({**DECISION, **change}, EVALUATION, DIGESTS)


def test_a_bundle_that_was_not_measured_is_refused():
    with pytest.raises(IntegrityError, match="another tensorflow bundle"):
        roles(DECISION, EVALUATION, {**DIGESTS, "tensorflow_model": "other"})


def _notary() -> Notary:
    notary = connect()
    assert notary is not None
    return notary


@pytest.fixture
def chain(notary, tmp_path) -> Chain:
    return Chain(tmp_path).until_decision()


def _digests(chain):
    return input_digests({name: chain.path(name) for name in INPUTS})


def test_every_input_is_led_back_to_its_own_stages_record(chain):
    found = proven_records(_notary(), "run-1", _digests(chain))
    assert {name: view.stage for name, view in found.inputs.items()} == {
        "pytorch_model": "train_pytorch",
        "tensorflow_model": "train_tensorflow",
        "evaluation": "evaluate_models",
        "decision": "decide_release",
    }


def test_bytes_without_a_record_are_refused(chain, tmp_path):
    other = tiny_bundles.write_bundle(tmp_path / "other", "pytorch", slope=9.0)
    digests = {**_digests(chain), "pytorch_model": tree_digest(other)}
    with pytest.raises(UnverifiableError, match="no record of these bytes of pytorch_model"):
        proven_records(_notary(), "run-1", digests)


def test_a_record_of_the_same_bytes_under_another_name_does_not_count(chain):
    digests = _digests(chain)
    with pytest.raises(UnverifiableError, match="tensorflow_model"):
        proven_records(
            _notary(), "run-1", {**digests, "tensorflow_model": digests["pytorch_model"]}
        )


def test_records_of_another_run_do_not_count(chain):
    with pytest.raises(UnverifiableError, match="run run-2"):
        proven_records(_notary(), "run-2", _digests(chain))


def test_a_run_that_left_out_validation_is_refused(notary, tmp_path):
    chain = Chain(tmp_path).until_decision(validated=False)
    with pytest.raises(IntegrityError, match="no proven record of validate_examples"):
        proven_records(_notary(), "run-1", _digests(chain))


class Misleading(Notary):
    """The real notary, whose answer about a run's records is changed on the way."""

    def records(self, run_id):
        """Say of the first record with outputs that it is what the caller asks for."""
        views = super().records(run_id)
        digests = {name: sha256 for view in views for name, sha256 in view.outputs.items()}
        first = next(view for view in views if view.event == "COMPLETE")
        return [type(first)(**{**vars(view), "outputs": digests}) for view in views]


def test_a_view_that_the_signed_record_does_not_bear_out_is_refused(chain):
    with pytest.raises(IntegrityError):
        proven_records(Misleading(_notary().address), "run-1", _digests(chain))


def _register(chain):
    settings = RegisterSettings.model_validate({"run": chain.run, "registry": REGISTRY})
    target = chain.folder / "registration"
    target.mkdir(exist_ok=True)
    paths = {name: chain.path(name) for name in INPUTS}
    return register_models(settings=settings, **paths, registration=target)


def test_without_a_notary_nothing_is_registered_and_no_store_is_opened(chain, home, monkeypatch):
    monkeypatch.delenv("TANDEM_NOTARY")
    with pytest.raises(UnverifiableError, match="without a notary"):
        _register(chain)
    assert not (home / "mlflow.db").exists()


def test_a_model_that_was_swapped_after_its_record_is_not_registered(chain, home):
    tiny_bundles.write_bundle(chain.path("pytorch_model"), "pytorch", slope=9.0)
    with pytest.raises(UnverifiableError, match="pytorch_model"):
        _register(chain)
    assert not (home / "mlflow.db").exists()
