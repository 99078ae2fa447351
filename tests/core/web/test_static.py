from __future__ import annotations

import hashlib
import json
import re

import httpx
import pytest

from core.web import view

MANIFEST = json.loads((view.STATIC / "vendor" / "manifest.json").read_text())
TEMPLATES = sorted((view.HERE / "templates").glob("*.j2"))


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_a_vendored_file_is_the_one_of_the_manifest_and_has_its_licence(entry: dict[str, str]) -> None:
    assert hashlib.sha256((view.STATIC / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert (view.STATIC / entry["licence_file"]).stat().st_size > 500
    assert entry["version"]
    assert entry["licence"]


def test_every_file_that_others_made_is_in_the_manifest() -> None:
    others = {
        path.relative_to(view.STATIC).as_posix()
        for folder in ("vendor", "fonts")
        for path in (view.STATIC / folder).iterdir()
        if path.suffix in (".js", ".css", ".woff2")
    }
    assert others == {entry["file"] for entry in MANIFEST}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_holds_nothing_that_the_policy_forbids(template: str) -> None:
    source = view.environment().loader.get_source(view.environment(), template.name)[0]  # type: ignore[union-attr,attr-defined]  # a path
    for forbidden in (r"\sstyle=", r"\son[a-z]+=", r"hx-on", r"\bjs:", r'"data:', r"<script(?![^>]*src=)", r"<style"):
        assert not re.search(forbidden, source), forbidden
    assert "please" not in source.lower()
    words = re.sub(r"\{[{%].*?[%}]\}|<[^>]*>", " ", source)
    assert not re.search(r"\blog(ged)? in\b|\bsorry\b", words, re.IGNORECASE)


def test_a_file_asked_for_by_its_hash_may_be_kept_for_ever(nobody: httpx.Client) -> None:
    kept = nobody.get(view.asset("app.css"))
    assert kept.status_code == 200
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert nobody.get("/static/app.css").headers["cache-control"] == "public, max-age=86400"


def test_nothing_outside_the_static_folder_is_served(nobody: httpx.Client) -> None:
    for path in ("/static/../view.py", "/static/%2e%2e/view.py", "/static/..%2fview.py"):
        assert nobody.get(path).status_code == 404
