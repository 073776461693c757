"""What a verification has seen: drafts that became two records."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.audit import seen
from components.core.canonical import sha256_value


def twins_of(drafts: Sequence[int]) -> list[tuple[int, int]]:
    """Return what is said of drafts, given by number, that became entries in this order."""
    with seen.nothing_seen() as store:
        found = []
        for place, draft in enumerate(drafts):
            found += store.add_draft(sha256_value(draft), place)
        found += store.twins()
        assert store.twins() == []
        first = sorted({drafts.index(draft) for draft in drafts})
        assert store.drafts(range(len(drafts))) == first
    return found


@given(drafts=st.lists(st.integers(0, 8), max_size=30), together=st.integers(1, 7))
@settings(deadline=None)
def test_each_repetition_is_told_once_with_the_entry_that_was_first(
    drafts: list[int], together: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seen, "_RECENT", together)
        found = twins_of(drafts)
    assert found == [
        (place, drafts.index(draft))
        for place, draft in enumerate(drafts)
        if drafts.index(draft) != place
    ]
