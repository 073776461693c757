"""`tandem waive`: the file it writes, what it refuses, and the way into a run."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.audit.folder import AuditFolder
from components.core.canonical import sha256_bytes
from components.core.errors import SettingsError
from components.waivers import KEYS_VARIABLE, Scope, judge, trusted_keys
from pipelines.cli import main
from pipelines.cli.parser import build_parser
from pipelines.loaded_settings import load_settings
from pipelines.plan import Verdict, plan_run
from pipelines.runners.ir import read_pipeline

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "training.yaml"
TODAY = datetime.now(UTC).date()
LATER = (TODAY + timedelta(days=30)).isoformat()
SPANS = "2013-03 against 2013-02"
Tandem = Callable[..., tuple[int, str, str]]


@pytest.fixture
def settings_file(values: dict[str, Any], write_settings: Callable[[dict[str, Any]], Path]) -> Path:
    checks = {"drift": {"distance": 0.1}, "duplicate_rows": 0.5}
    return write_settings(values | {"checks": checks})


@pytest.fixture
def tandem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tandem:
    """Run `tandem waive` with a configuration and a home of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(KEYS_VARIABLE, raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["waive", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def options(path: Path, **changed: str) -> list[str]:
    given = {"reason": "seen and accepted", "until": LATER, "name": str(path)} | changed
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def test_help_has_an_example_that_parses_and_the_common_options(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["waive", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(option in text for option in ("--json", "--verbose", "--home"))
    example = text.partition("example:\n")[2].split()
    assert build_parser().parse_args(example[1:]).command == "pipelines.cli.waive:waive"


def test_a_waiver_is_written_beside_the_settings_and_counts_once_its_key_is_trusted(
    tandem: Tandem, settings_file: Path, tmp_path: Path
) -> None:
    code, out, _ = tandem("drift:distance", "--json", "--slice", SPANS, *options(settings_file))
    assert code == 0
    said = json.loads(out)
    file = Path(said["file"])
    assert file.parent == settings_file.parent / "waivers"
    assert said["trusted"] is False
    assert said["waiver"]["gate"] == {"name": "drift:distance", "slice": SPANS}
    assert said["waiver"]["issuedOn"] == TODAY.isoformat()

    folder = AuditFolder(tmp_path / "home").waiver_keys
    folder.mkdir(parents=True)
    (tmp_path / "config/tandem/signing.pub").rename(folder / "ann.pub")
    text = file.read_text().strip()
    schema = sha256_bytes((settings_file.parent / "shop.pbtxt").read_bytes())
    item = judge(text, trusted_keys(folder), Scope("shop", schema, TODAY))
    assert item.counts and item.sha256 == said["sha256"] and item.keyid == said["keyid"]

    _, out, _ = tandem("leakage:arrived", "--json", *options(settings_file))
    assert json.loads(out)["trusted"] is True
    assert json.loads(out)["keyid"] == said["keyid"]


def test_without_json_it_says_what_is_left_to_do(
    tandem: Tandem, settings_file: Path, tmp_path: Path
) -> None:
    code, out, _ = tandem("minimum_rows", *options(settings_file))
    (file,) = (settings_file.parent / "waivers").iterdir()
    assert code == 0
    assert f"waivers: [waivers/{file.name}]" in out
    assert str(AuditFolder(tmp_path / "home").waiver_keys) in out


def test_of_several_waivers_all_that_the_settings_must_list_are_shown(
    tandem: Tandem, settings_file: Path
) -> None:
    tandem("minimum_rows", *options(settings_file))
    (first,) = (settings_file.parent / "waivers").iterdir()
    values = yaml.safe_load(settings_file.read_text())
    settings_file.write_text(yaml.safe_dump(values | {"waivers": [f"waivers/{first.name}"]}))
    _, out, _ = tandem("leakage:arrived", *options(settings_file))
    (second,) = set((settings_file.parent / "waivers").iterdir()) - {first}
    assert f"waivers: [waivers/{first.name}, waivers/{second.name}]\n" in out

    _, out, _ = tandem("duplicate_rows", *options(settings_file))
    assert f"waivers: [waivers/{first.name}, waivers/duplicate_rows-" in out
    assert f"the settings do not list these either: waivers/{second.name}\n" in out


def test_the_settings_of_this_folder_are_meant_where_none_are_named(
    tandem: Tandem, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(settings_file.parent)
    code, _, _ = tandem("leakage:arrived", "--reason", "r", "--until", LATER)
    assert code == 0


@pytest.mark.parametrize(
    ("gate", "changed", "words"),
    [
        ("drfit:distance", {}, "no data gate drfit:distance; did you mean drift:distance?"),
        ("drift:nosuch", {}, "the runs of shop have no data gate drift:nosuch"),
        ("drift:origin", {}, "no data gate drift:origin"),
        ("skew:distance", {}, "no data gate skew:distance; did you mean drift:distance?"),
        ("label_shift:late", {}, "no data gate label_shift:late"),
        ("class_share:delay", {}, "did you mean class_share:late?"),
        ("leakage:arived", {}, "did you mean leakage:arrived?"),
        ("leakage:arrived,distance", {}, "no data gate leakage:arrived,distance"),
        ("leakage", {}, "no data gate leakage"),
        ("schema", {}, "no data gate schema"),
        ("schema:orign:presence", {}, "did you mean schema:origin:presence?"),
        ("schema:origin:presense", {}, "did you mean schema:origin:presence?"),
        ("schema:origin:new_column", {}, "no data gate schema:origin:new_column"),
        ("example_validator:origin:presence", {}, "no data gate example_validator:origin:presence"),
        ("", {}, "no data gate"),
        ("minimum_rows", {"until": "soon"}, "--until soon: not a day"),
        ("minimum_rows", {"until": "2020-01-01"}, "--until 2020-01-01 is over"),
        ("minimum_rows", {"reason": "  "}, "--reason says nothing"),
        ("minimum_rows", {"name": "nowhere"}, "there is no use case nowhere"),
    ],
)
def test_what_would_waive_nothing_is_refused_and_nothing_is_written(
    tandem: Tandem,
    settings_file: Path,
    tmp_path: Path,
    gate: str,
    changed: dict[str, str],
    words: str,
) -> None:
    code, _, err = tandem(gate, *options(settings_file, **changed))
    assert (code, words in err) == (2, True), err
    assert not (settings_file.parent / "waivers").exists()
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize(
    ("gate", "slice_", "words"),
    [
        ("minimum_rows", "nowhere", "no run judges minimum_rows in a slice nowhere"),
        ("minimum_rows", "evla", "a slice evla; did you mean eval?"),
        ("minimum_rows", "overall", "name one as the failed run does: train, eval"),
        ("class_share:late", "", "name one as the failed run does: train, eval"),
        ("schema:origin:presence", "all splits", "name one as the failed run does: train, eval"),
        ("duplicate_rows", "train", "name one as the failed run does: all splits"),
        ("leakage:arrived", "origin=JFK", "name one as the failed run does: all splits"),
        ("drift:distance", "eval against train", f"name one as the failed run does: {SPANS}"),
        ("drift:distance", "2013-02 against 2013-03", f"did you mean {SPANS}?"),
        ("drift:distance", "2013-03-01 against 2013-02-01", f"did you mean {SPANS}?"),
        ("drift:distance", "2013-13 against 2013-02", f"did you mean {SPANS}?"),
    ],
)
def test_a_slice_that_no_run_judges_a_gate_in_is_refused_with_those_it_does(
    tandem: Tandem, settings_file: Path, tmp_path: Path, gate: str, slice_: str, words: str
) -> None:
    code, _, err = tandem(gate, "--slice", slice_, *options(settings_file))
    assert (code, words in err) == (2, True), err
    assert not (settings_file.parent / "waivers").exists()
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize(
    ("gate", "slice_"),
    [
        ("minimum_rows", "eval"),
        ("schema:weather:new_column", "train"),
        ("leakage:arrived,delay", "all splits"),
        ("drift:distance", "2014-01 against 2013-11"),
    ],
)
def test_a_slice_that_a_run_of_any_window_may_fail_in_can_be_waived(
    tandem: Tandem, settings_file: Path, gate: str, slice_: str
) -> None:
    code, _, err = tandem(gate, "--slice", slice_, *options(settings_file))
    assert code == 0, err


def test_without_spans_labels_shift_between_the_splits(
    tandem: Tandem, values: dict[str, Any], write_settings: Callable[[dict[str, Any]], Path]
) -> None:
    values["source"] |= {
        "spans": {"unit": "none"},
        "splits": {"by": "hash", "column": "distance"},
    }
    window = {"first": "all", "last": "all"}
    path = write_settings(values | {"window": window, "checks": {"label_shift": 0.1}})
    assert tandem("label_shift:late", "--slice", "eval against train", *options(path))[0] == 0
    code, _, err = tandem("label_shift:late", "--slice", SPANS, *options(path))
    assert (code, "name one as the failed run does: eval against train" in err) == (2, True)


@pytest.mark.parametrize(
    "gate",
    [
        "class_share:late",
        "duplicate_rows",
        "leakage:arrived,delay",
        "schema:distance:range",
        "schema:dataset:dataset_low_num_examples",
        "schema:weather:new_column",
    ],
)
def test_a_gate_that_a_run_could_fail_by_can_be_waived(
    tandem: Tandem, settings_file: Path, gate: str
) -> None:
    code, _, err = tandem(gate, *options(settings_file))
    assert code == 0, err


def test_drift_that_the_schema_itself_limits_can_be_waived(
    tandem: Tandem, settings_file: Path
) -> None:
    schema = settings_file.parent / "shop.pbtxt"
    limit = "drift_comparator { jensen_shannon_divergence { threshold: 0.1 } }"
    text = schema.read_text()
    assert 'name: "origin"' in text
    schema.write_text(text.replace('name: "origin"', f'name: "origin" {limit}', 1))
    code, _, err = tandem("drift:origin", *options(settings_file))
    assert code == 0, err


def test_a_key_made_at_first_use_is_said_once_with_what_it_is_for(
    tandem: Tandem, settings_file: Path, tmp_path: Path
) -> None:
    _, _, err = tandem("minimum_rows", *options(settings_file))
    key = tmp_path / "config" / "tandem" / "signing.key"
    assert err.splitlines() == [
        f"made {key} just now: your private key, which signs your waivers and approvals; "
        "keep it to yourself"
    ]
    assert tandem("minimum_rows", *options(settings_file))[2] == ""


def waived(settings_file: Path, tandem: Tandem) -> Path:
    """Name a new waiver in the settings file, with a line end as editors leave it."""
    _, out, _ = tandem("leakage:arrived", "--json", *options(settings_file))
    file = Path(json.loads(out)["file"])
    values = yaml.safe_load(settings_file.read_text())
    settings_file.write_text(yaml.safe_dump(values | {"waivers": [json.loads(out)["setting"]]}))
    return file


def test_the_contents_of_a_waiver_reach_the_arguments_and_the_digest_of_the_settings(
    tandem: Tandem, settings_file: Path
) -> None:
    before = load_settings(settings_file)
    assert before.arguments()["waivers"] == []

    file = waived(settings_file, tandem)

    after = load_settings(settings_file)
    assert file.read_bytes().endswith(b"}\n")
    assert after.arguments()["waivers"] == [file.read_text().removesuffix("\n")]
    assert after.sha256 != before.sha256


def test_a_waiver_that_is_not_there_is_refused_by_name(
    values: dict[str, Any], write_settings: Callable[[dict[str, Any]], Path]
) -> None:
    with pytest.raises(SettingsError, match=r"waivers: there is no file waivers/gone\.json"):
        load_settings(write_settings(copy.deepcopy(values) | {"waivers": ["waivers/gone.json"]}))


def test_the_plan_never_expects_a_validation_with_waivers_in_the_cache(
    tandem: Tandem, settings_file: Path, tmp_path: Path
) -> None:
    from components.core.cache import StageCache

    waived(settings_file, tandem)
    run = {"id": "20130101T000000Z-abcdef", "name": "shop", "cache": True}
    arguments = {**load_settings(settings_file).arguments(), "run": run, "champion": {}}
    plans = plan_run(read_pipeline(GOLDEN), arguments, StageCache(tmp_path / "cache"))
    (plan,) = (plan for plan in plans if plan.task == "validate-examples")
    assert (plan.verdict, plan.why) == (Verdict.RUN, "it depends on the day")


def test_what_tfx_s_validator_found_can_be_waived_of_a_column_and_in_one_of_its_splits(
    tandem: Tandem, settings_file: Path
) -> None:
    values = yaml.safe_load(settings_file.read_text())
    found = {"example_validator": {"location": "found/4", "splits": ["train", "test"]}}
    settings_file.write_text(yaml.safe_dump(values | {"checks": found}))
    gate = "example_validator:delay:presence"
    code, _, err = tandem(gate, "--slice", "test", *options(settings_file))
    assert code == 0, err
    for name, words in (("eval", "a slice eval"), ("tset", "did you mean test?")):
        code, _, err = tandem(gate, "--slice", name, *options(settings_file))
        assert (code, words in err) == (2, True), err
    for name in ("whole", "splits", "delay:presense"):
        code, _, err = tandem(f"example_validator:{name}", *options(settings_file))
        assert (code, "no data gate" in err) == (2, True), err
