"""Settings as a run loads them, and what is said of those that are unusable."""

import os

import pytest

import chater
from converge.errors import ConfigurationError
from converge.settings.loading import load_settings
from converge.settings.variables import Settings

REQUIRED = {
    "POSTGRES_HOST": "db.example.org",
    "POSTGRES_DB": "eater",
    "POSTGRES_USER": "eater_admin",
    "POSTGRES_PASSWORD": "s3cret",
}
PREFIX = "The configuration is unusable; nothing was done.\n  "
NO_DOTENV = os.path.join(os.sep, "no", "such", "directory", ".env")


def loaded(**variables: str) -> Settings:
    """Load what is required and `variables`."""
    return load_settings({**REQUIRED, **variables}, NO_DOTENV, chater.VARIABLES)


def complaint(**variables: str) -> str:
    """Return what is said of one mistake, or of several."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(**variables)
    text = str(caught.value)
    assert text.startswith(PREFIX)
    assert caught.value.exit_code == 2
    return text[len(PREFIX) :]
