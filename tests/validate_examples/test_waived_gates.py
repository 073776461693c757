"""The step with waivers: what one lets through, what is recorded, and what stays stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from small_examples import SMALL_SCHEMA, small_rows, write_examples

from components.audit.keys import SigningKey
from components.core.canonical import sha256_bytes
from components.core.errors import GateError
from components.core.outcome import Outcome
from components.core.validated import require_validated
from components.stage import run_stage
from components.validate_examples.step import ValidateSettings, validate_examples
from components.waivers import KEYS_VARIABLE, Waiver

pytestmark = pytest.mark.slow
Make = Callable[..., ValidateSettings]
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
WAIVER = Waiver(
    use_case="shop",
    schema_sha256=sha256_bytes(SMALL_SCHEMA.encode()),
    gate="skew:kind",
    slice=None,
    reason="the catalogue was renewed",
    issued=date(2026, 11, 1),
    until=date(2026, 11, 30),
)
RUN = {"id": "20261115T101112Z-ab12cd", "name": "shop", "cache": True}


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trust one key, as who looks after the state folder does."""
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "ann.pub").write_bytes(KEY.public.to_pem())
    monkeypatch.setenv(KEYS_VARIABLE, str(folder))
    return folder


@pytest.fixture
def skewed(tmp_path: Path) -> Path:
    shards = {
        ("train", "2013-01"): small_rows(200),
        ("eval", "2013-02"): small_rows(200, 200, kind=["a"] * 200),
    }
    return write_examples(tmp_path / "examples", shards)


@pytest.fixture
def settings(small_settings: Make) -> Callable[..., ValidateSettings]:
    """Return settings whose one failing gate is skew:kind, with waivers and a run."""

    def make(*signed: bytes, run: Any = None, **checks: Any) -> ValidateSettings:
        others = {"waivers": [text.decode() for text in signed], "run": RUN if run is None else run}
        return small_settings(others, skew={"kind": 0.1}, **checks)

    return make


def validate(made: ValidateSettings, examples: Path) -> Outcome:
    folders = {n: examples.parent / "out" / n for n in ("statistics", "validation")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    return validate_examples(settings=made, examples=examples, **folders)


def verdict(examples: Path) -> dict[str, Any]:
    path = examples.parent / "out" / "validation" / "validation.json"
    return dict(json.loads(path.read_text()))


def test_a_waived_gate_goes_on_as_failed_with_the_waivers_digest(
    settings: Make, skewed: Path
) -> None:
    signed = WAIVER.sign(KEY)

    outcome = validate(settings(signed), skewed)

    (gate,) = (gate for gate in outcome.gates if not gate.passed)
    assert (gate.name, gate.waived_by) == ("skew:kind", sha256_bytes(signed))
    written = verdict(skewed)
    assert written["passed"] is True
    assert [entry["waived_by"] for entry in written["failed"]] == [sha256_bytes(signed)]
    (said,) = outcome.facts["waivers"]
    assert said == written["waivers"][0]
    assert (said["keyid"], said["counts"], said["until"]) == (
        KEY.public.keyid,
        True,
        "2026-11-30",
    )
    assert (said["reason"], said["issued"]) == ("the catalogue was renewed", "2026-11-01")
    assert outcome.facts["waivers_judged_on"] == "2026-11-15"
    require_validated(skewed, skewed.parent / "out" / "validation", SMALL_SCHEMA)


def test_a_waiver_of_a_gate_by_another_name_is_said_to_do_nothing(
    settings: Make, skewed: Path
) -> None:
    signed = replace(WAIVER, gate="skew").sign(KEY)
    with pytest.raises(GateError) as caught:
        validate(settings(signed), skewed)
    waiver = sha256_bytes(signed)[:12]
    assert f"waiver {waiver} does not count: skew is no gate that failed" in caught.value.message


def test_a_waiver_of_another_slice_is_told_in_which_slices_the_gate_failed(
    settings: Make, skewed: Path
) -> None:
    signed = replace(WAIVER, gate="minimum_rows", slice="overall").sign(KEY)
    with pytest.raises(GateError) as caught:
        validate(settings(signed, minimum_rows=201), skewed)
    why = "minimum_rows failed, but not in overall: it failed in train, eval"
    assert f"waiver {sha256_bytes(signed)[:12]} does not count: {why}" in caught.value.message


def test_another_gate_that_fails_still_stops_and_the_waived_one_is_not_among_the_causes(
    settings: Make, skewed: Path
) -> None:
    with pytest.raises(GateError) as caught:
        validate(settings(WAIVER.sign(KEY), minimum_rows=201), skewed)

    assert "2 of 8 data gates" in caught.value.message
    assert "skew:kind" not in caught.value.message
    assert {gate["name"] for gate in caught.value.gates if gate.get("waived_by")} == {"skew:kind"}
    assert verdict(skewed)["passed"] is False
    facts = caught.value.facts
    assert facts["waivers"] == verdict(skewed)["waivers"]
    numbers = [facts[f"gates_{name}"] for name in ("checked", "failed", "waived")]
    assert (numbers, facts["anomalies"]) == ([8, 3, 1], 0)
    assert facts["rows_by_split"] == {"train": 200, "eval": 200}


@pytest.mark.parametrize(
    ("signed", "run", "why"),
    [
        (WAIVER.sign(STRANGER), RUN, "no key that is trusted here signed it"),
        (replace(WAIVER, until=date(2026, 11, 14)).sign(KEY), RUN, "it holds from"),
        (replace(WAIVER, use_case="bank").sign(KEY), RUN, "another use case"),
        (replace(WAIVER, schema_sha256="0" * 64).sign(KEY), RUN, "another schema"),
        (WAIVER.sign(KEY).replace(b'"sig":"', b'"sig":"AAAA'), RUN, "not a signed waiver"),
        (WAIVER.sign(KEY), {"name": "shop"}, "does not say when"),
        (
            WAIVER.sign(KEY),
            {**RUN, "id": "20261201T000000Z-ab12cd"},
            "the run started on 2026-12-01",
        ),
        (b"", RUN, "not a signed waiver"),
    ],
)
def test_a_waiver_that_does_not_count_lets_nothing_pass_and_the_cause_says_why(
    settings: Make, skewed: Path, signed: bytes, run: dict[str, Any], why: str
) -> None:
    with pytest.raises(GateError, match="skew:kind in eval against train") as caught:
        validate(settings(signed, run=run), skewed)

    assert f"waiver {sha256_bytes(signed)[:12]} does not count: " in caught.value.message
    assert why in caught.value.message
    assert not any(gate.get("waived_by") for gate in caught.value.gates)
    assert verdict(skewed)["waivers"][0]["counts"] is False


def test_a_waiver_of_another_gate_or_slice_lets_nothing_pass(settings: Make, skewed: Path) -> None:
    others = [
        replace(WAIVER, gate="skew:amount").sign(KEY),
        replace(WAIVER, slice="eval").sign(KEY),
    ]
    with pytest.raises(GateError, match="skew:kind"):
        validate(settings(*others), skewed)
    assert [item["counts"] for item in verdict(skewed)["waivers"]] == [True, True]


class Port:
    def __init__(self, path: Path, **metadata: Any) -> None:
        self.path = str(path)
        self.metadata: dict[str, Any] = metadata
        self.uri = self.path


def stage(
    examples: Path, out: Path, made: ValidateSettings, run: dict[str, Any]
) -> dict[str, Port]:
    """Run the stage with the cache on, as a run does."""
    from components.core.artifacts import tree_digest

    parameters = made.model_dump(mode="json", by_alias=True) | {"run": run}
    outputs = {name: Port(out / name) for name in ("statistics", "validation")}
    source = Port(examples, sha256=tree_digest(examples))
    run_stage(
        validate_examples,
        run=run,
        parameters=parameters,
        inputs={"examples": source},
        outputs=outputs,
    )
    return outputs


def test_a_waiver_that_ran_out_is_not_revived_by_the_cache(
    settings: Make, skewed: Path, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)
    made = settings(WAIVER.sign(KEY))

    first = stage(skewed, tmp_path / "one", made, RUN)
    assert "cached" not in first["validation"].metadata
    with pytest.raises(GateError, match="does not count"):
        stage(skewed, tmp_path / "two", made, {**RUN, "id": "20261201T000000Z-ab12cd"})
    (keys / "ann.pub").unlink()
    with pytest.raises(GateError, match="no key that is trusted"):
        stage(skewed, tmp_path / "three", made, RUN)


def test_without_waivers_the_cache_answers_whatever_the_run(
    small_settings: Make, skewed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)

    stage(skewed, tmp_path / "one", small_settings(), RUN)
    second = stage(
        skewed, tmp_path / "two", small_settings(), {**RUN, "id": "20271201T000000Z-ab12cd"}
    )

    assert second["validation"].metadata["cached"] is True
