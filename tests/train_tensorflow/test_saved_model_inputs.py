"""Names of columns that a SavedModel's signature cannot have."""

from __future__ import annotations

import pytest

from components.core.errors import SettingsError

pytestmark = pytest.mark.slow


def test_a_column_whose_name_tensorflow_has_for_itself_is_refused() -> None:
    from components.train_tensorflow.saved_model import column_specs

    assert list(column_specs({"selfish": "string", "age": "float32"})) == ["selfish", "age"]
    with pytest.raises(SettingsError, match="column self") as caught:
        column_specs({"age": "float32", "self": "string"})
    assert "source.leave_out" in caught.value.remedy
