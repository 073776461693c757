"""A waiver on its whole way: signed by `tandem waive`, counted by a stage of a run, in the log."""

import json
import shutil

import pytest
import yaml
from prepared_run import run_tandem

from components.audit.folder import AuditFolder
from pipelines.settings_file import find_settings

pytestmark = pytest.mark.slow
FAILING = {"skew": {"month": 0.01, "day": 0.0}}  # both splits never have the same month


@pytest.fixture
def settings_file(tmp_path):
    """Return the flights' settings with two gates that fail, in a folder of their own."""
    values = yaml.safe_load(find_settings("flights").read_text())
    values["checks"] |= FAILING
    values["window"] = {"first": "2013-01", "last": "2013-02"}
    path = tmp_path / "flights" / "settings.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(values))
    return path


def stopped_gates(home, settings_file):
    """Run until validation stops the run; return its gates by name, from the run's records."""
    arguments = ("--home", str(home), "--json", "--no-cache")
    code, _ = run_tandem("run", str(settings_file), *arguments)
    assert code == 3
    records = json.loads((max((home / "runs").iterdir()) / "records.json").read_text())["records"]
    (record,) = (r for r in records if (r["stage"], r["event"]) == ("validate_examples", "FAIL"))
    return {gate["name"]: gate for gate in record["gates"]}


def test_a_signed_waiver_counts_in_a_run_once_its_key_is_trusted_and_the_log_verifies(
    settings_file, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    home = tmp_path / "home"
    until = ("--reason", "the months differ", "--until", "2999-12-31")
    code, stdout = run_tandem(
        "waive", "skew:month", *until, "--name", str(settings_file), "--home", str(home), "--json"
    )
    assert code == 0
    said = json.loads(stdout)
    values = yaml.safe_load(settings_file.read_text())
    settings_file.write_text(yaml.safe_dump(values | {"waivers": [said["setting"]]}))

    gates = stopped_gates(home, settings_file)
    assert not gates["skew:month"]["passed"] and "waived_by" not in gates["skew:month"]

    keys = AuditFolder(home).waiver_keys
    keys.mkdir(parents=True)
    shutil.copy(tmp_path / "config" / "tandem" / "signing.pub", keys / "ann.pub")
    gates = stopped_gates(home, settings_file)
    assert gates["skew:month"]["waived_by"] == said["sha256"]
    assert not gates["skew:month"]["passed"]
    assert not gates["skew:day"]["passed"] and "waived_by" not in gates["skew:day"]

    code, stdout = run_tandem("audit", "verify", "--home", str(home), "--json")
    assert (code, json.loads(stdout)["findings"]) == (0, [])
