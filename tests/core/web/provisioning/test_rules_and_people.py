from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest

from core import clock
from core.flows.activation import Activated
from core.store.tables import Role
from core.testing.identity_provider import IdentityProvider
from tests.core.web.provisioning.directory import (
    AWS,
    HTMX,
    PAGE,
    group,
    new_token,
    push,
    send,
)
from tests.website import Website, post, text_of, token

SUSPENDED = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [{"op": "replace", "path": "active", "value": False}],
}


class TestRules:
    def test_whether_people_are_created_at_their_first_sign_in(
        self, site: Website, aws: Activated, admin: httpx.Client, provider: IdentityProvider
    ) -> None:
        assert 'value="true" checked' in admin.get(PAGE).text
        answer = post(admin, f"{PAGE}/first-sign-in", page=PAGE)
        page = admin.get(answer.headers["location"])
        assert "Your choice is saved" in text_of(page)
        assert 'value="true" checked' not in page.text
        assert site.sso(aws, provider, subject="new@northwind.example").status_code == 403
        post(admin, f"{PAGE}/first-sign-in", {"on": "true"}, page=PAGE)
        assert site.sso(aws, provider, subject="new@northwind.example").status_code == 303

    def test_rules_are_edited_previewed_and_only_then_saved(
        self, site: Website, aws: Activated, admin: httpx.Client
    ) -> None:
        _, secret = new_token(admin)
        group(site, aws, secret, "Facilities", push(site, aws, secret, "ana"))
        group(site, aws, secret, "Helpdesk & <IT>", push(site, aws, secret, "ben"))
        csrf = token(admin.get(f"{PAGE}/rules"))
        rows: dict[str, Any] = {"csrf": csrf, "group": [], "role": []}

        def press(intent: str, **more: str) -> httpx.Response:
            answer = admin.post(f"{PAGE}/rules", data={**rows, **more, "intent": intent})
            chosen = re.findall(r'<option(?: value="([^"]*)")? selected>([^<]*)<', answer.text)
            rows["group"] = [unescape(value) for value, _ in chosen if value]
            rows["role"] = [role for value, role in chosen if not value]
            return answer

        press("add")
        assert (rows["group"], rows["role"]) == (["Facilities"], ["Viewer"])
        press("add")
        rows["group"], rows["role"] = ["Facilities", "Helpdesk & <IT>"], ["Space Captain", "IT"]
        press("up-1")
        assert (rows["group"], rows["role"]) == (["Helpdesk & <IT>", "Facilities"], ["IT", "Space Captain"])
        preview = press("preview")
        words = text_of(preview)
        assert "2 people get another role" in words
        assert "Ana : Viewer, then Space Captain" in words
        assert "Edit rules" not in text_of(admin.get(PAGE))
        found = re.search(r'name="previewed" value="([^"]+)"', preview.text)
        assert found
        previewed = unescape(found.group(1))

        press("remove-0")  # something else than what was previewed is previewed again, not saved
        assert "1 person gets another role" in text_of(press("save", previewed=previewed))
        rows["group"], rows["role"] = ["Helpdesk & <IT>", "Facilities"], ["IT", "Space Captain"]
        assert press("save", previewed=previewed).headers["location"] == f"{PAGE}?done=rules"
        assert "Helpdesk & <IT>: IT" in unescape(re.sub(r"</?strong>", "", admin.get(PAGE).text))
        assert "Ana ana" not in text_of(admin.get("/users"))
        assert "Space Captain" in text_of(admin.get("/users"))

    @pytest.mark.usefixtures("aws")
    def test_people_of_it_are_told_who_may(self, site: Website) -> None:
        with site.signed_in(Role.IT) as it:
            page = it.get(PAGE)
            assert "Only an Admin can say which groups give which role" in text_of(page)
            assert f"{PAGE}/rules" not in page.text
            assert it.get(f"{PAGE}/rules").status_code == 403
            for path in ("rules", "brake/keep", "brake/delete"):
                refused = post(it, f"{PAGE}/{path}", {"intent": "save", "previewed": "[]"}, page=PAGE)
                assert refused.status_code == 403

    @pytest.mark.usefixtures("aws")
    def test_a_nonsense_row_is_no_failure(self, admin: httpx.Client) -> None:
        csrf = token(admin.get(PAGE))
        for intent in ("up-0", "up-9", "remove-9", "remove-x", "add", "preview", "", "save"):
            data = {"csrf": csrf, "intent": intent, "group": ["a", ""], "role": ["Emperor", "IT", "IT"]}
            assert admin.post(f"{PAGE}/rules", data=data).status_code == 200


@pytest.mark.parametrize(("decision", "said"), [("keep", "Nobody is deleted"), ("delete", "The deletions go ahead")])
def test_what_the_brake_holds_is_decided_by_an_admin(
    site: Website, aws: Activated, admin: httpx.Client, decision: str, said: str
) -> None:
    _, secret = new_token(admin)
    for one in [push(site, aws, secret, name) for name in ("ana", "ben", "<cleo>")]:
        assert send(site, aws, secret, "DELETE", f"/Users/{one}").status_code == 204
    assert "3 deletions wait for an Admin" in text_of(admin.get(AWS))
    page = admin.get(PAGE)
    assert "3 deletions wait for your decision" in text_of(page)
    assert "<cleo>" not in page.text.lower()
    with site.signed_in(Role.IT) as it:
        seen = it.get(PAGE)
        assert "Only an Admin can decide about these deletions" in text_of(seen)
        assert f"{PAGE}/brake" not in seen.text
    assert "Let the deletion of 3 people go ahead?" in text_of(admin.get(f"{PAGE}/brake/delete"))
    answer = post(admin, f"{PAGE}/brake/{decision}", page=PAGE)
    page = admin.get(answer.headers["location"])
    assert said in text_of(page)
    assert "deletions wait" not in text_of(page)
    assert admin.get(f"{PAGE}/brake/delete").status_code == 404
    assert post(admin, f"{PAGE}/brake/sideways", page=PAGE).status_code == 404


def test_people_whom_the_brake_holds_and_nobody_deletes_are_not_called_deletions(
    site: Website, aws: Activated, admin: httpx.Client
) -> None:
    _, secret = new_token(admin)
    ids = [push(site, aws, secret, name) for name in ("ana", "ben", "cleo")]
    for one in ids:
        assert send(site, aws, secret, "PATCH", f"/Users/{one}", SUSPENDED).status_code == 200
    for path in (AWS, PAGE):
        words = text_of(admin.get(path))
        assert "3 people were suspended at once" in words
        assert "deletions wait" not in words
    assert "Deletion waits" not in text_of(admin.get("/users"))
    assert send(site, aws, secret, "DELETE", f"/Users/{ids[0]}").status_code == 204
    assert "1 deletion waits for your decision" in text_of(admin.get(PAGE))
    assert text_of(admin.get("/users")).count("Deletion waits for an Admin") == 1


class TestPeople:
    def test_an_admin_suspends_reactivates_and_removes_after_a_question(
        self, viewer: httpx.Client, admin: httpx.Client
    ) -> None:
        assert viewer.get("/").status_code == 200
        (person,) = set(re.findall(r'href="/users/([0-9a-z]+)/suspend"', admin.get("/users").text))
        assert "Suspend Viewer Person?" in text_of(admin.get(f"/users/{person}/suspend"))
        assert '<dialog id="question"' in admin.get(f"/users/{person}/suspend", headers=HTMX).text
        for act, said, status in (
            ("suspend", "The person is suspended", 303),
            ("reactivate", "The person is active again", 303),
            ("remove", "The person is removed", 303),
        ):
            answer = post(admin, f"/users/{person}/{act}")
            assert answer.status_code == status
            assert said in text_of(admin.get(answer.headers["location"]))
            assert viewer.get("/").status_code == 303  # the session has ended, and stays ended
        assert post(admin, f"/users/{person}/suspend").status_code == 409
        assert "Viewer Person" in text_of(admin.get("/users?status=suspended"))

    def test_people_of_it_do_the_same_to_everybody_but_admins(self, site: Website, viewer: httpx.Client) -> None:
        assert viewer.get("/").status_code == 200
        with site.signed_in(Role.IT) as it:
            page = it.get("/users")
            assert text_of(page).count("Only an Admin can change this") == 1
            (person,) = set(re.findall(r'href="/users/([0-9a-z]+)/suspend"', page.text))
            assert post(it, f"/users/{person}/suspend").status_code == 303
            assert viewer.get("/").status_code == 303
            assert post(it, f"/users/{person}/reactivate").status_code == 303
            for act in ("suspend", "remove", "reactivate"):
                refused = it.get(f"/users/{site.admin.id}/{act}")
                assert refused.status_code == 403
                assert "Only an Admin can change the access of an Admin." in text_of(refused)
                assert post(it, f"/users/{site.admin.id}/{act}", page="/users").status_code == 403

    def test_a_viewer_changes_nobodys_access(self, site: Website, viewer: httpx.Client) -> None:
        assert viewer.get(f"/users/{site.admin.id}/suspend").status_code == 403
        csrf = token(viewer.get("/"))
        assert viewer.post(f"/users/{site.admin.id}/suspend", data={"csrf": csrf}).status_code == 403

    def test_the_day_of_a_planned_deletion_is_shown_and_that_one_waits_for_an_admin(
        self, site: Website, aws: Activated, admin: httpx.Client
    ) -> None:
        _, secret = new_token(admin)
        ids = [push(site, aws, secret, name) for name in ("ana", "ben", "cleo")]
        post(admin, f"/users/{ids[0]}/suspend")
        assert "Deleted on" not in text_of(admin.get("/users"))
        post(admin, f"/users/{ids[0]}/remove")
        words = text_of(admin.get("/users?q=ana"))
        assert f"Suspended Deleted on {clock.now() + timedelta(days=30):%-d %b %Y}" in words
        for one in ids[1:]:
            assert send(site, aws, secret, "DELETE", f"/Users/{one}").status_code == 204
        assert "Suspended Deletion waits for an Admin" in text_of(admin.get("/users?q=cleo"))

    def test_nobody_ends_their_own_access(self, site: Website, admin: httpx.Client) -> None:
        assert f"/users/{site.admin.id}/" not in admin.get("/users").text
        assert post(admin, f"/users/{site.admin.id}/suspend").status_code == 409

    def test_a_person_who_is_not_there_is_a_404(self, site: Website, admin: httpx.Client) -> None:
        assert admin.get("/users/nobody/suspend").status_code == 404
        assert admin.get(f"/users/{site.admin.id}/promote").status_code == 404
        assert post(admin, "/users/nobody/remove", page="/users").status_code == 404
