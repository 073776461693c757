"""Which modules a stage's code digest covers."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.core import code
from components.core.code import module_digests
from components.core.errors import SettingsError
from components.core.sources import use_sources


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
    before = module_digests(["my_model_functions"])
    module.write_text("def build(): return 2\n")
    assert module_digests(["my_model_functions"]) != before


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(SettingsError, match=r"pipelines\.examples\.nowhere"):
        module_digests(["pipelines.examples.nowhere"])


def test_a_module_beside_the_users_module_counts_and_the_lock_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setenv("TANDEM_SOURCES", str(tmp_path))
    (tmp_path / "my_layers_beside.py").write_text("WIDTH = 3\n")
    (tmp_path / "my_model_beside.py").write_text("import numpy\nimport my_layers_beside\n")
    before = module_digests(["my_model_beside"])
    assert set(before) == {"my_model_beside", "my_layers_beside"}
    (tmp_path / "my_layers_beside.py").write_text("WIDTH = 4\n")
    assert module_digests(["my_model_beside"]) != before


@pytest.mark.parametrize(
    "source",
    [
        "def build():\n    import my_deep",
        "class A:\n  def f(self):\n    if 1:\n      f()\n    else:\n      import my_deep",
        "try:\n    pass\nexcept OSError:\n    import my_deep\nelse:\n    pass\nfinally:\n    pass",
        "try:\n    pass\nfinally:\n    from my_deep import x",
        "with open('a'):\n    for _ in ():\n        while True:\n            import my_deep as d",
        "match 1:\n    case 1:\n        import my_deep",
        "f = lambda: 1\nasync def g():\n    async with f():\n        import my_deep",
    ],
)
def test_an_import_at_any_depth_is_followed(tmp_path, monkeypatch, source):
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setenv("TANDEM_SOURCES", str(tmp_path))
    (tmp_path / "my_deep.py").write_text("x = 1\n")
    (tmp_path / "my_shallow.py").write_text(source + "\n")
    assert set(module_digests(["my_shallow"])) == {"my_shallow", "my_deep"}


@pytest.mark.parametrize(
    ("file", "source", "followed"),
    [
        ("model.py", "from .layers import wide", {"my_package.layers"}),
        ("model.py", "from . import layers", {"my_package.layers"}),
        ("model.py", "from .deep.part import x", {"my_package.deep", "my_package.deep.part"}),
        (
            "model.py",
            "def f():\n    from .deep import part",
            {"my_package.deep", "my_package.deep.part"},
        ),
        ("model.py", "from .. import my_beside", set()),
        ("deep/part.py", "from ..layers import wide", {"my_package.deep", "my_package.layers"}),
        ("deep/part.py", "from .. import layers", {"my_package.deep", "my_package.layers"}),
        ("deep/__init__.py", "from .part import x", {"my_package.deep.part"}),
        ("deep/__init__.py", "from . import part as p, nothing", {"my_package.deep.part"}),
        ("__init__.py", "from .layers import wide", {"my_package.layers"}),
    ],
)
def test_a_relative_import_of_a_users_package_is_followed(
    tmp_path, monkeypatch, file, source, followed
):
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setenv("TANDEM_SOURCES", str(tmp_path))
    package = tmp_path / "my_package"
    (package / "deep").mkdir(parents=True)
    for name in ("__init__.py", "model.py", "layers.py", "deep/__init__.py", "deep/part.py"):
        (package / name).write_text("")
    (tmp_path / "my_beside.py").write_text("")
    (package / file).write_text(source + "\n")
    parts = ["my_package", *file.removesuffix(".py").split("/")]
    module = ".".join(part for part in parts if part != "__init__")
    assert set(module_digests([module])) == {"my_package", module} | followed


def test_a_relative_import_of_ours_is_followed(tmp_path, monkeypatch):
    """Ours are written absolutely; a copy of the finder beside a relative one shows the rule."""
    root = tmp_path / "root"
    for name in ("components/core", "components/some_stage"):
        (root / name).mkdir(parents=True)
        (root / name / "__init__.py").write_text("")
    (root / "components/__init__.py").write_text("")
    (root / "components/core/code.py").write_text(Path(code.__file__).read_text())
    (root / "components/some_stage/step.py").write_text("from .work import do\n")
    (root / "components/some_stage/work.py").write_text("from ..core import errors\n")
    for name in ("artifacts", "canonical", "errors", "imports", "installed", "sources"):
        source = Path(code.__file__).with_name(f"{name}.py")
        (root / f"components/core/{name}.py").write_text(source.read_text())
    script = (
        "from components.core.code import module_digests\n"
        "print(*module_digests(['components.some_stage.step']))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=root, check=True, capture_output=True, text=True
    )
    assert set(found.stdout.split()) == {
        "components", "components.core", "components.core.errors", "components.some_stage",
        "components.some_stage.step", "components.some_stage.work",
    }  # fmt: skip


def test_a_file_of_the_use_case_cannot_stand_in_for_a_package(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "json.py").write_text("loads = None\n")
    monkeypatch.setenv("TANDEM_SOURCES", "")
    use_sources(tmp_path)
    assert sys.path[-1] == str(tmp_path)
    assert sys.path.index(str(tmp_path)) == len(sys.path) - 1


def test_without_a_named_folder_what_lies_in_the_current_one_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    monkeypatch.setenv("TANDEM_SOURCES", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed/my_installed_model.py").write_text("import my_stray\n")
    (tmp_path / "my_stray.py").write_text("")
    assert set(module_digests(["my_installed_model"])) == {"my_installed_model"}


@pytest.mark.parametrize("name", ["json", "sys", "numpy"])
def test_a_module_that_the_import_takes_from_elsewhere_is_not_followed(tmp_path, monkeypatch, name):
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setenv("TANDEM_SOURCES", "")
    use_sources(tmp_path)
    (tmp_path / f"{name}.py").write_text("loads = None\n")
    (tmp_path / "my_model_of_rows.py").write_text(f"import {name}\n")
    assert set(module_digests(["my_model_of_rows"])) == {"my_model_of_rows"}


@pytest.mark.parametrize("source", ["from json import loads", "import json.decoder", "import json"])
@pytest.mark.parametrize("file", ["json.py", "json/__init__.py"])
def test_a_json_beside_the_settings_is_left_to_the_standard_one_in_every_form(
    tmp_path, monkeypatch, file, source
):
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setenv("TANDEM_SOURCES", "")
    use_sources(tmp_path)
    for path in (tmp_path / file, tmp_path / "json/decoder.py", tmp_path / "my_package/json.py"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("loads = None\n")
    (tmp_path / "my_package/model.py").write_text(f"{source}\n")
    assert set(module_digests(["my_package.model"])) == {"my_package.model"}
    (tmp_path / "my_package/model.py").write_text("from .json import loads\n")
    assert set(module_digests(["my_package.model"])) == {"my_package.model", "my_package.json"}


def test_a_package_is_followed_before_a_module_of_its_name_as_the_import_does(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("TANDEM_SOURCES", str(tmp_path))
    (tmp_path / "my_twice").mkdir()
    (tmp_path / "my_twice/__init__.py").write_text("import my_taken\n")
    for name, source in (("my_twice", "import my_left"), ("my_taken", ""), ("my_left", "")):
        (tmp_path / f"{name}.py").write_text(source)
    assert set(module_digests(["my_twice"])) == {"my_twice", "my_taken"}
