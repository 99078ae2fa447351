from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from core import clock
from core.flows import metrics
from core.flows.activation import Activated
from core.store.provisioning_tables import ProvisioningRequest, ProvisioningToken
from tests.core.web.provisioning.directory import (
    AWS,
    HTMX,
    PAGE,
    REVOKE,
    USER,
    group,
    new_token,
    push,
    send,
)
from tests.website import Website, post, text_of, token


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
        assert send(site, aws, secret, "PATCH", "/Users/nobody", {"Operations": 7}).status_code == 400
        assert "Refused One user PATCH /Users/nobody" in text_of(admin.get(PAGE))

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
