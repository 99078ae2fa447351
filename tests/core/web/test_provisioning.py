from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from core import clock
from core.flows import metrics
from core.flows.activation import Activated
from core.store.provisioning_tables import ProvisioningRequest, ProvisioningToken
from core.store.tables import Role
from core.testing.identity_provider import IdentityProvider
from tests.website import Website, post, running, text_of, token

AWS = "/settings/integrations/aws_sso"
PAGE = f"{AWS}/provisioning"
HTMX = {"HX-Request": "true"}
SECRET = re.compile(r'<output id="new-token">(siq_scim_[^<]+)</output>')
REVOKE = re.compile(rf'href="({PAGE}/tokens/[0-9a-z]+/revoke)"')
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Website]:
    with running(tmp_path) as website:
        yield website


@pytest.fixture
def aws(site: Website, provider: IdentityProvider) -> Activated:
    return site.activate(provider)


def new_token(browser: httpx.Client, **data: str) -> tuple[httpx.Response, str]:
    """The page that answers, and the token on it."""
    page = post(browser, PAGE, data)
    found = SECRET.search(page.text)
    assert found, text_of(page)
    return page, found.group(1)


def send(  # noqa: PLR0917  where, by whom, what
    site: Website, aws: Activated, secret: str, method: str, path: str, body: Any = None
) -> httpx.Response:
    """A request of the directory, over HTTP."""
    return httpx.request(
        method,
        f"{site.origin}/scim/v2/{aws.connection_id}{path}",
        content=body if isinstance(body, bytes) else json.dumps(body) if body is not None else None,
        headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/scim+json"},
    )


def push(site: Website, aws: Activated, secret: str, name: str) -> str:
    body = {"schemas": [USER], "userName": name, "displayName": name.title(), "password": "hunter2hunter2"}
    answer = send(site, aws, secret, "POST", "/Users", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def group(site: Website, aws: Activated, secret: str, name: str, *members: str) -> None:
    body = {"schemas": [GROUP], "displayName": name, "members": [{"value": one} for one in members]}
    assert send(site, aws, secret, "POST", "/Groups", body).status_code == 201


class TestBefore:
    def test_an_integration_that_is_not_active_has_no_such_page(self, admin: httpx.Client) -> None:
        assert admin.get(PAGE).status_code == 404
        assert admin.get("/settings/integrations/custom_saml/provisioning").status_code == 404

    @pytest.mark.usefixtures("aws")
    def test_it_waits_for_the_first_sync_and_the_integration_leads_to_it(self, admin: httpx.Client) -> None:
        page = admin.get(PAGE)
        assert text_of(page).count("Waiting for the first sync") == 2
        assert "Nothing can be sent without one" in text_of(page)
        assert page.headers["cache-control"] == "no-store"
        assert f'href="{PAGE}"' in admin.get(AWS).text
        assert f'href="{PAGE}"' in admin.get(f"{AWS}/activate").text

    def test_the_form_of_one_that_is_not_active_says_when_there_is_a_token(self, admin: httpx.Client) -> None:
        form = admin.get(f"{AWS}/activate")
        assert "The access token is made after you activate" in text_of(form)
        assert PAGE not in form.text

    @pytest.mark.usefixtures("aws")
    def test_a_viewer_sees_none_of_it(self, viewer: httpx.Client) -> None:
        for path in (PAGE, f"{PAGE}/rules", f"{PAGE}/brake/delete"):
            assert viewer.get(path).status_code == 403
        csrf = token(viewer.get("/"))
        for path in (PAGE, f"{PAGE}/first-sign-in", f"{PAGE}/rules", f"{PAGE}/brake/delete"):
            assert viewer.post(path, data={"csrf": csrf}).status_code == 403

    @pytest.mark.usefixtures("aws")
    def test_nothing_is_done_without_the_token_of_the_form(self, admin: httpx.Client) -> None:
        for path in (PAGE, f"{PAGE}/first-sign-in", f"{PAGE}/rules", f"{PAGE}/brake/keep", "/users/x/suspend"):
            assert admin.post(path, data={"on": "true"}).status_code == 403
        assert "Nothing can be sent without one" in text_of(admin.get(PAGE))


class TestTokens:
    def test_a_token_is_shown_once_and_opens_the_connection(
        self, site: Website, aws: Activated, admin: httpx.Client
    ) -> None:
        page, secret = new_token(admin)
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
        assert "shown only this once" in text_of(page)
        assert send(site, aws, secret, "GET", "/Users").status_code == 200
        again = admin.get(PAGE)
        assert secret not in again.text
        assert f"…{secret[-4:]}" in text_of(again)
        assert "from 127.0.0.1" in text_of(again)

    def test_rotating_says_when_the_old_one_ends(self, site: Website, aws: Activated, admin: httpx.Client) -> None:
        page, old = new_token(admin)
        found = re.search(r'name="token" value="([^"]+)"', page.text)
        assert found
        page, new = new_token(admin, token=found.group(1))
        words = text_of(page)
        assert f"The old one (…{old[-4:]}) works until" in words
        assert "Ends soon" in words
        assert "Two tokens work now" in words
        assert "Create token" not in words
        assert [send(site, aws, one, "GET", "/Users").status_code for one in (old, new)] == [200, 200]
        csrf = token(page)
        assert admin.post(PAGE, data={"csrf": csrf}).status_code == 409

    def test_a_token_that_nothing_used_for_30_days_is_said_to_be_one(
        self, site: Website, aws: Activated, admin: httpx.Client
    ) -> None:
        _, secret = new_token(admin)
        note = "Nothing has used it for 30 days. Revoke it if nothing needs it."
        assert note not in text_of(admin.get(PAGE))

        def age(**columns: Any) -> None:
            with site.services.database.writing(site.organization.id) as session:
                session.execute(update(ProvisioningToken).values(**columns))

        age(created_at=clock.now() - timedelta(days=31))  # never used
        assert note in text_of(admin.get(PAGE))
        send(site, aws, secret, "GET", "/Users")
        assert note not in text_of(admin.get(PAGE))
        age(last_used_at=clock.now() - timedelta(days=31))
        assert note in text_of(admin.get(PAGE))
        age(revoked_at=clock.now() - timedelta(days=1), slot=None)
        assert note not in text_of(admin.get(PAGE))

    def test_revoking_asks_first_and_ends_it_at_once(self, site: Website, aws: Activated, admin: httpx.Client) -> None:
        page, secret = new_token(admin)
        (path,) = REVOKE.findall(page.text)
        assert f"Revoke the token …{secret[-4:]}?" in text_of(admin.get(path))
        assert '<dialog id="question"' in admin.get(path, headers=HTMX).text
        assert send(site, aws, secret, "GET", "/Users").status_code == 200
        answer = post(admin, path)
        assert answer.headers["location"] == f"{PAGE}?done=revoked"
        assert "The token is revoked" in text_of(admin.get(answer.headers["location"]))
        assert send(site, aws, secret, "GET", "/Users").status_code == 401
        assert admin.get(path).status_code == 404


class TestRequests:
    def test_the_log_shows_who_and_why_and_no_secret(self, site: Website, aws: Activated, admin: httpx.Client) -> None:
        _, secret = new_token(admin)
        push(site, aws, secret, "ana")
        again = {"schemas": [USER], "userName": "ana", "displayName": "<b>Ana</b>"}
        assert send(site, aws, secret, "POST", "/Users", again).status_code == 409
        page = admin.get(PAGE)
        words = text_of(page)
        assert "The latest request was refused" in words
        assert "Why it was refused" in words
        assert "409 uniqueness" in words
        assert "<b>Ana" not in page.text
        assert "hunter2" not in page.text
        assert secret not in page.text

    def test_who_is_removed_keeps_the_name_in_the_log_then_and_later(
        self, site: Website, aws: Activated, admin: httpx.Client
    ) -> None:
        _, secret = new_token(admin)
        ana = push(site, aws, secret, "ana")
        group(site, aws, secret, "Helpdesk", ana)
        helpdesk = send(site, aws, secret, "GET", '/Groups?filter=displayName eq "Helpdesk"').json()["Resources"][0]
        for path in (f"/Users/{ana}", f"/Groups/{helpdesk['id']}"):
            assert send(site, aws, secret, "DELETE", path).status_code == 204
            assert send(site, aws, secret, "GET", path).status_code == 404
        words = text_of(admin.get(PAGE))
        assert f"Accepted ana DELETE /Users/{ana}" in words
        assert f"Refused ana GET /Users/{ana}" in words
        assert f"Accepted Helpdesk DELETE /Groups/{helpdesk['id']}" in words
        assert f"Accepted ana DELETE /Users/{ana}" in text_of(admin.get(f"{PAGE}?q=ANA"))

    def test_a_change_that_is_refused_names_whom_it_was_about(
        self, site: Website, aws: Activated, admin: httpx.Client
    ) -> None:
        _, secret = new_token(admin)
        group(site, aws, secret, "Helpdesk", ana := push(site, aws, secret, "ana"))
        helpdesk = send(site, aws, secret, "GET", "/Groups").json()["Resources"][0]["id"]
        for path in (f"/Users/{ana}", f"/Groups/{helpdesk}"):
            assert send(site, aws, secret, "PATCH", path, {"Operations": 7}).status_code == 400
        words = text_of(admin.get(PAGE))
        assert f"Refused ana PATCH /Users/{ana}" in words
        assert f"Refused Helpdesk PATCH /Groups/{helpdesk}" in words

    def test_people_of_nobodys_directory_are_not_named(
        self, site: Website, aws: Activated, admin: httpx.Client
    ) -> None:
        _, secret = new_token(admin)
        assert send(site, aws, secret, "GET", f"/Users/{site.admin.id}").status_code == 404
        assert f"Refused One user GET /Users/{site.admin.id}" in text_of(admin.get(PAGE))

    def test_requests_that_were_all_refused_are_no_sync_and_no_failure_of_the_page(
        self, site: Website, aws: Activated, admin: httpx.Client
    ) -> None:
        _, secret = new_token(admin)
        assert send(site, aws, secret, "POST", "/Users", {}).status_code == 400
        words = text_of(admin.get(PAGE))
        assert "Last sync Waiting for the first sync The latest request was refused" in words
        push(site, aws, secret, "ana")
        assert "Last sync Just now The latest request was accepted" in text_of(admin.get(PAGE))
        with site.services.database.writing(site.organization.id) as session:
            session.execute(update(ProvisioningRequest).values(status=503))
        words = text_of(admin.get(PAGE))
        assert "Last sync Not lately The latest request was refused" in words
        assert "Last sync Not lately" in text_of(admin.get(AWS))

    def test_requests_are_counted_by_plugin_method_and_status(
        self, site: Website, aws: Activated, admin: httpx.Client
    ) -> None:
        def count(plugin: str, method: str, status: str) -> float:
            labels = {"plugin": plugin, "method": method, "status": status}
            return metrics.registry.get_sample_value("siq_scim_requests_total", labels) or 0

        _, secret = new_token(admin)
        before = count("aws_sso", "POST", "201"), count("", "GET", "401")
        removed = metrics.registry.get_sample_value("siq_access_changes_total", {"event": "user.removed"}) or 0
        ana = push(site, aws, secret, "ana")
        assert send(site, aws, "wrong", "GET", "/Users").status_code == 401
        send(site, aws, secret, "DELETE", f"/Users/{ana}")
        assert (count("aws_sso", "POST", "201"), count("", "GET", "401")) == (before[0] + 1, before[1] + 1)
        assert metrics.registry.get_sample_value("siq_access_changes_total", {"event": "user.removed"}) == removed + 1

    def test_it_is_searched_by_user_and_paged(self, site: Website, aws: Activated, admin: httpx.Client) -> None:
        _, secret = new_token(admin)
        for name in ("ana", "ben"):
            push(site, aws, secret, name)
        found = text_of(admin.get(f"{PAGE}?q=ben"))
        assert "Accepted ben POST /Users" in found
        assert "Accepted ana" not in found
        assert "Nothing matches “zz”" in text_of(admin.get(f"{PAGE}?q=zz"))
        with httpx.Client(headers={"Authorization": f"Bearer {secret}"}) as directory:
            for _ in range(50):
                directory.get(f"{site.origin}/scim/v2/{aws.connection_id}/Groups")
        first = admin.get(PAGE)
        older = re.search(r'href="([^"]+before=\d+)"', first.text)
        assert older
        second = text_of(admin.get(unescape(older.group(1))))
        assert second.count("Accepted") == 2
        assert "Accepted ana POST /Users" in second
        assert "Show older" not in second
        assert admin.get(f"{PAGE}?before=x&q=%00").status_code == 200

    def test_a_directory_may_send_a_whole_mebibyte_and_not_more(
        self, site: Website, aws: Activated, admin: httpx.Client
    ) -> None:
        _, secret = new_token(admin)
        body = json.dumps({"schemas": [USER], "userName": "long"}).encode()
        assert send(site, aws, secret, "POST", "/Users", body.ljust(1024 * 1024)).status_code == 201
        refused = send(site, aws, secret, "POST", "/Users", body.ljust(1024 * 1024 + 1))
        assert refused.status_code == 413
        assert refused.headers["content-type"].startswith("application/scim+json")


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
