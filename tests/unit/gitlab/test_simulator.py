# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator's behaviour that no description of the API states, and the runner's side of it."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab" / "gitlab"))

from gitlabsim.server import GitLab  # the simulator is no installed package
from gitlabsim.world import ADMIN_TOKEN


@pytest.fixture(scope="module")
def server() -> Iterator[GitLab]:
    made = GitLab().start()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def fresh(server: GitLab) -> None:
    world = server.reset()
    world.group("cater")
    world.project("cater/shop")


class Client:
    def __init__(self, server: GitLab, token: str = ADMIN_TOKEN) -> None:
        self.server, self.session = server, requests.Session()
        self.session.trust_env = False
        self.headers = {"PRIVATE-TOKEN": token} if token else {}

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return self.session.request(method, f"{self.server.url}/api/v4{path}", headers=headers, timeout=10, **more)


@pytest.fixture
def ask(server: GitLab) -> Client:
    return Client(server)


SHOP = "/projects/cater%2Fshop"


def test_pages_follow_offsets(server: GitLab, ask: Client) -> None:
    """Would catch a list that is whole at once, so that a client without pages would pass."""
    for number in range(45):
        server.world.project(f"cater/p{number}")
    answer = ask("GET", "/projects")
    assert len(answer.json()) == 20 and answer.headers["X-Next-Page"] == "2" and answer.headers["X-Total"] == "46"
    assert ask("GET", answer.links["next"]["url"].split("/api/v4")[1]).json()[0]["path"] == "p19"
    last = ask("GET", "/projects", params={"page": 3})
    assert last.headers["X-Next-Page"] == "" and "next" not in last.links
    assert len(ask("GET", "/projects", params={"per_page": 500}).json()) == 46
    assert ask("GET", "/projects", params={"page": 501, "per_page": 100}).status_code == 405


def test_keyset_pages_have_nothing_but_a_link(server: GitLab, ask: Client) -> None:
    """Would catch totals where the real server gives none, and an order that it does not offer."""
    for number in range(45):
        server.world.project(f"cater/p{number}")
    keyset = {"pagination": "keyset", "order_by": "id", "sort": "asc"}
    answer, seen = ask("GET", "/projects", params=keyset), []
    while True:
        assert "X-Total" not in answer.headers and "X-Page" not in answer.headers
        seen += [row["id"] for row in answer.json()]
        if "next" not in answer.links:
            break
        answer = ask("GET", answer.links["next"]["url"].split("/api/v4")[1])
    assert seen == sorted(seen) and len(seen) == 46
    assert ask("GET", "/projects", params={**keyset, "order_by": "name"}).status_code == 405


def test_errors_have_the_shapes_of_the_real_ones(server: GitLab, ask: Client) -> None:
    """Would catch a client that reads `message` alone."""
    assert ask("GET", "/projects/nope").json() == {"message": "404 Project Not Found"}
    assert ask("GET", "/nope").json() == {"error": "404 Not Found"}
    assert ask("POST", f"{SHOP}/variables", json={}).json() == {"error": "key is missing, value is missing"}
    ask("POST", f"{SHOP}/variables", json={"key": "A", "value": "1"})
    twice = ask("POST", f"{SHOP}/variables", json={"key": "A", "value": "1"})
    assert twice.json() == {"message": {"key": ["(A) has already been taken"]}}
    assert Client(server, "")("GET", SHOP).status_code == 401
    ada = server.world.user("ada")
    server.world.token("glpat-ada", ada)
    assert Client(server, "glpat-ada")("GET", SHOP).json() == {"message": "404 Project Not Found"}


def test_unknown_attributes_are_taken_without_a_word(ask: Client) -> None:
    """Would catch a simulator that is kinder than the real server."""
    answer = ask("PUT", SHOP, json={"merge_metod": "ff"})
    assert answer.status_code == 200 and "merge_metod" not in answer.json()


def test_several_scopes_need_the_filter_and_one_does_not(ask: Client) -> None:
    """Would catch a filter that is always, or never, needed."""
    for scope in ("*", "test"):
        ask("POST", f"{SHOP}/variables", json={"key": "A", "value": scope, "environment_scope": scope})
    assert ask("GET", f"{SHOP}/variables/A").status_code == 409
    found = ask("GET", f"{SHOP}/variables/A", params={"filter[environment_scope]": "test"})
    assert found.json()["value"] == "test"
    ask("DELETE", f"{SHOP}/variables/A", params={"filter[environment_scope]": "*"})
    assert ask("PUT", f"{SHOP}/variables/A", json={"value": "moved"}).json()["environment_scope"] == "test"


def test_masked_and_hidden_values(ask: Client) -> None:
    """Would catch a hidden value that is told, and a masked one that could not be masked."""
    short = ask("POST", f"{SHOP}/variables", json={"key": "A", "value": "short", "masked": True})
    assert short.status_code == 400
    made = ask("POST", f"{SHOP}/variables", json={"key": "A", "value": "longenough", "masked_and_hidden": True})
    assert made.json()["value"] is None and made.json()["hidden"] is True
    assert ask("PUT", f"{SHOP}/variables/A", json={"masked": False}).status_code == 400


def test_lists_of_who_may_are_changed_and_never_replaced(ask: Client) -> None:
    """Would catch a PATCH that replaces, so that a client that relies on it would pass."""
    ask("POST", f"{SHOP}/protected_branches", json={"name": "main", "push_access_level": 30})
    path = f"{SHOP}/protected_branches/main"
    row = ask("PATCH", path, json={"allowed_to_push": [{"access_level": 40}]}).json()
    assert [entry["access_level"] for entry in row["push_access_levels"]] == [30, 40]
    gone = {"id": row["push_access_levels"][0]["id"], "_destroy": True}
    row = ask("PATCH", path, json={"allowed_to_push": [gone]}).json()
    assert [entry["access_level"] for entry in row["push_access_levels"]] == [40]
    twice = ask("POST", f"{SHOP}/protected_branches", json={"name": "main"})
    assert twice.status_code == 409 and twice.json() == {"message": "Protected branch 'main' already exists"}
    refused = ask("POST", f"{SHOP}/protected_branches", json={"name": "x", "push_access_level": 50})
    assert refused.status_code == 400


def test_deletion_is_delayed_and_keeps_the_path(ask: Client) -> None:
    """Would catch a removal that frees the path at once."""
    assert ask("DELETE", SHOP).status_code == 202
    assert ask("GET", SHOP).json()["marked_for_deletion_on"]
    again = ask("POST", "/projects", json={"path": "shop", "namespace_id": ask("GET", "/groups/cater").json()["id"]})
    assert again.status_code == 400 and "has already been taken" in again.text
    ask("DELETE", SHOP, params={"permanently_remove": "true", "full_path": "cater/shop"})
    assert ask("GET", SHOP).status_code == 404


@pytest.mark.parametrize(("edition", "status"), [("ce", 404), ("ee", 403), ("premium", 200)])
def test_editions_differ(server: GitLab, edition: str, status: int) -> None:
    """Would catch a paid feature that the free edition of the simulator has."""
    world = server.reset(edition=edition)
    world.group("cater")
    world.project("cater/shop")
    ask = Client(server)
    assert ask("GET", f"{SHOP}/protected_environments").status_code == status
    assert ask("GET", f"{SHOP}/push_rule").status_code == status
    assert ask("GET", "/metadata").json()["enterprise"] is (edition != "ce")


def test_limits_answer_in_text_with_a_pause(server: GitLab) -> None:
    """Would catch a 429 in JSON only: the outer limiter speaks plain text."""
    server.reset(rate=2, retry_after=7)
    ask = Client(server)
    answers = [ask("GET", "/metadata") for _unused in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "7" and answers[2].text == "Retry later\n"


def test_a_runner_verifies_polls_traces_and_finishes(server: GitLab, ask: Client) -> None:
    """Would catch a break in the runner's protocol: who may take which job, ranges of the trace, its checksum."""
    group = ask("GET", "/groups/cater").json()["id"]
    body = {"runner_type": "group_type", "group_id": group, "tag_list": ["deploy"], "run_untagged": False}
    made = ask("POST", "/user/runners", json={**body, "access_level": "ref_protected"}).json()
    runner = Client(server, "")
    system = {"token": made["token"], "system_id": "s_1", "info": {"version": "19.4.0"}}
    assert runner("POST", "/runners/verify", json={**system, "token": "glrt-wrong"}).status_code == 403
    assert runner("POST", "/runners", json={"token": "GR1348941x"}).status_code == 410
    assert runner("POST", "/runners/verify", json=system).json()["id"] == made["id"]
    assert ask("GET", f"/runners/{made['id']}").json()["status"] == "online"
    jobs = [
        {"id": 1, "name": "open", "token": "glcbt-1", "tags": ["deploy"], "protected": False},
        {"id": 2, "name": "other", "token": "glcbt-2", "tags": [], "protected": True},
        {"id": 3, "name": "ours", "token": "glcbt-3", "tags": ["deploy"], "protected": True},
    ]
    server.world.jobs = [{**job, "state": "pending", "script": ["true"]} for job in jobs]
    job = runner("POST", "/jobs/request", json=system)
    assert job.status_code == 201 and job.json()["id"] == 3
    idle = runner("POST", "/jobs/request", json=system)
    assert idle.status_code == 204 and idle.headers["X-GitLab-Last-Update"]
    token, text = {"JOB-TOKEN": "glcbt-3"}, b"hello\n"
    sent = runner("PATCH", "/jobs/3/trace", data=text, headers={**token, "Content-Range": "0-5"})
    assert sent.status_code == 202 and sent.headers["Range"] == "0-6" and sent.headers["Job-Status"] == "running"
    gap = runner("PATCH", "/jobs/3/trace", data=b"x", headers={**token, "Content-Range": "90-90"})
    assert gap.status_code == 416 and gap.headers["Range"] == "0-6"
    done = {"token": "glcbt-3", "state": "success", "output": {"checksum": "crc32:00000000"}}
    assert runner("PUT", "/jobs/3", json=done).status_code == 412
    done["output"] = {"checksum": f"crc32:{zlib.crc32(text):08x}"}
    assert runner("PUT", "/jobs/3", json=done).status_code == 200
    assert runner("PUT", "/jobs/3", json=done).status_code == 403
    gone = runner("DELETE", "/runners/managers", json=system)
    assert gone.status_code == 204 and ask("GET", f"/runners/{made['id']}/managers").json() == []
