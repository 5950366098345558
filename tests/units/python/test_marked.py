"""Tests to be marked as units, one of them with a name that is too long."""

import pytest


def test_passwd():
    open("/etc/passwd").close()


@pytest.mark.parametrize("text", ["x" * 2000])
def test_a_long_name(text):
    assert text


def test_group():
    open("/etc/group").close()
