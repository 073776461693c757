"""The quick look for promotions in a log that most runs do without reading it."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given, settings
from hypothesis import strategies as st

from components.register_models.recorded_champion import (
    WORD,
    _base64_forms,
    recorded_champion,
    surely_unrecorded,
)


@given(before=st.binary(max_size=9), after=st.binary(max_size=9))
@settings(deadline=None)
def test_a_word_is_found_in_base_64_wherever_it_stands(before, after):
    encoded = b64encode(before + WORD + after)
    assert any(form in encoded for form in _base64_forms(WORD))


def test_another_word_is_not_found():
    assert not any(form in b64encode(b'"archive_model"' * 9) for form in _base64_forms(WORD))


def test_a_home_without_a_log_has_no_recorded_champion_and_gets_no_log(tmp_path):
    assert surely_unrecorded(tmp_path)
    assert recorded_champion(tmp_path, "flights") is None
    assert list(tmp_path.iterdir()) == []
