"""The error tree."""

import pytest

from components.core.errors import KINDS, PlatformError, error_from_dict


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_error_reads_back_what_it_wrote(kind):
    error = KINDS[kind]("what is wrong", remedy="what to do")
    again = error_from_dict(error.to_dict())
    assert type(again) is type(error)
    assert again.to_dict() == error.to_dict()


def test_exit_codes_are_the_documented_ones():
    assert {kind: error.exit_code for kind, error in KINDS.items()} == {
        "SettingsError": 2,
        "WrongUsage": 2,
        "NotRecordedError": 2,
        "DataError": 1,
        "GateError": 3,
        "IntegrityError": 4,
        "UnverifiableError": 5,
        "PlatformError": 1,
        "OutOfMemoryError": 1,
    }


def test_an_unknown_kind_is_the_platforms_fault():
    assert isinstance(error_from_dict({"kind": "Strange"}), PlatformError)
