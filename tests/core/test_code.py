"""Which modules a stage's code digest covers."""

import pytest

from components.core.code import code_digest, module_digests
from components.core.errors import SettingsError


def test_imports_inside_functions_and_of_imported_modules_count():
    modules = module_digests(["components.stage"])
    assert "components.core.errors" in modules
    assert "components.core" in modules
    assert "components" in modules


def test_packages_from_the_lock_are_left_to_the_lock():
    assert all(
        name.split(".")[0] in {"components", "pipelines", "schemas"}
        for name in module_digests(["components.stage"])
    )


def test_one_changed_byte_of_a_user_module_changes_the_digest(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "my_model_functions.py"
    module.write_text("def build(): return 1\n")
    before = code_digest(["my_model_functions"])
    module.write_text("def build(): return 2\n")
    assert code_digest(["my_model_functions"]) != before


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(SettingsError, match=r"pipelines\.examples\.nowhere"):
        module_digests(["pipelines.examples.nowhere"])
