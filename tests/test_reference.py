"""The reference pages are what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import reference, refusals
from core.settings import Settings

FOLDER = Path(__file__).parents[1] / "docs" / "reference"


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_committed_reference_page_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == reference.PAGES[name](), "run: make docs"


def test_there_is_no_reference_page_that_nothing_makes() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(reference.PAGES)


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert f"`SIQ_{name.upper()}`" in reference.settings()


def test_every_code_is_described() -> None:
    assert all(f"`{one.code}`" in reference.codes() for one in refusals.ALL)


def test_writing_makes_every_page(tmp_path: Path) -> None:
    reference.write(tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == set(reference.PAGES)
