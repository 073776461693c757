"""What an import may find is hidden from it, and only from it."""

import json
import subprocess
import sys

import pytest

from components.core.absent import absent

SEEN = """
import json, sys
import components.train_tensorflow.slim_tensorflow
found = [name for name in ("sklearn", "matplotlib") if name in sys.modules]
import keras, matplotlib, sklearn
print(json.dumps([found, keras.src.wrappers.sklearn_wrapper.sklearn is None]))
"""


def test_a_hidden_package_is_not_found_inside_and_found_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with absent("colorsys"), pytest.raises(ImportError):
        import colorsys
    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)


def test_a_package_that_is_imported_already_stays():
    with absent("json"):
        import json as found
    assert found is json


@pytest.mark.slow
def test_tensorflow_comes_without_what_keras_only_may_use_and_that_can_be_imported_afterwards():
    ended = subprocess.run([sys.executable, "-c", SEEN], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == [[], True]
