# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases on Cloud Run, against the simulator, with users coming all along."""

from __future__ import annotations

import pytest
from ansible_collections.socle.platform.plugins.module_utils._objects import AdapterError
from ansible_collections.socle.platform.plugins.module_utils._releases.model import Aim, Phase, Wish
from cloud_site import BACK, PATH, Fault, Killed, Limits, Site, released, site_of
from clouds.cloud_run import BY_NAME
from clouds.discovery import RefusedError


@pytest.fixture
def site() -> Site:
    return site_of()


def test_a_new_version_takes_over_in_steps(site: Site) -> None:
    """Would catch an error for a user, a step left out, or a version that is not whole at the end."""
    seen = []
    really = site.run.serve

    def before(method: str, path: str) -> None:
        site.before(method, path)
        seen.append(site.percents().get("app:v2", 0))

    site.run.before = before
    stand = site.drive(released("app:v2", version="v2", commit="abc", by="ada", steps=(10, 50)))
    assert stand.record.phase is Phase.DONE and stand.record.by == "ada"
    assert site.percents() == {"app:v2": 100}
    assert sorted(set(seen)) == [0, 10, 50, 100]
    assert site.no_error_seen()
    assert really is not None and {image for _status, image in site.got} == {"app:v1", "app:v2"}


def test_nobody_gets_a_version_that_is_deployed_only(site: Site) -> None:
    """Would catch the service's "latest" giving users the new version the moment it is ready."""
    stand = site.drive(Wish("web", Aim.DEPLOYED, "app:v2"))
    assert site.percents() == {"app:v1": 100}
    assert site.images.users_of("app:v2") == []
    assert stand.new is not None and site.look(stand.new.url + "/", ()) == ""
    site.drive(Wish("web", Aim.RELEASED))
    assert site.percents() == {"app:v2": 100} and site.no_error_seen()


@pytest.mark.parametrize("image", ["app:sick", "app:dead", "app:missing"])
def test_a_failing_version_never_gets_a_user(site: Site, image: str) -> None:
    """Would catch a version that fails its health, its start or its pull and is promoted all the same."""
    with pytest.raises(AdapterError, match="was taken back"):
        site.drive(released(image, steps=(10,)))
    assert site.images.users_of(image) == []
    assert site.percents() == {"app:v1": 100} and site.no_error_seen()
    with pytest.raises(AdapterError, match="set again to true"):
        site.drive(released(image))
    site.drive(released("app:v2"))
    assert site.percents() == {"app:v2": 100} and site.no_error_seen()


def test_errors_of_users_take_a_version_back(site: Site) -> None:
    """Would catch an error rate that nobody looks at: this version is healthy and answers users with 500."""
    with pytest.raises(AdapterError, match=r"answers to users were errors, at most 5 % are allowed"):
        site.drive(released("app:faulty", steps=(10, 50)))
    assert site.percents() == {"app:v1": 100}
    hits = len(site.images.users_of("app:faulty"))
    assert 0 < hits < len(site.got) / 4
    site.users()
    assert len(site.images.users_of("app:faulty")) == hits


def test_one_command_brings_the_version_before_back(site: Site) -> None:
    """Would catch a roll-back that needs to know a version, and one that swaps each time it is run."""
    site.drive(released("app:v2"))
    site.drive(BACK)
    assert site.percents() == {"app:v1": 100}
    writes = len([1 for method, _path in site.run.log if method != "GET"])
    site.drive(BACK)
    assert site.percents() == {"app:v1": 100}
    assert len([1 for method, _path in site.run.log if method != "GET"]) == writes
    assert site.no_error_seen()


def test_another_release_cannot_come_between(site: Site) -> None:
    """Would catch a second version that takes the place of one that users are moving to."""
    site.images.add("app:v3")
    site.drive(released("app:v2", percent=10, by="ada"))
    assert site.percents() == {"app:v1": 90, "app:v2": 10}
    with pytest.raises(AdapterError, match=r"a release of app:v2 is under way .* by ada, 10 %"):
        site.drive(released("app:v3"))
    site.drive(BACK)
    site.drive(released("app:v3"))
    assert site.percents() == {"app:v3": 100} and site.no_error_seen()


def test_a_second_run_writes_nothing(site: Site) -> None:
    """Would catch a release that is made again when it is there."""
    site.drive(released("app:v2"))
    site.run.log.clear()
    site.drive(released("app:v2"))
    assert [method for method, _path in site.run.log] == ["GET"] * len(site.run.log)


@pytest.mark.parametrize("image", ["app:v2", "app:sick"])
def test_killed_at_any_request_the_next_run_goes_on(image: str) -> None:
    """Would catch state kept anywhere but in the cloud: a run is ended before each of its requests in turn."""
    at, killed, quick = 0, True, Limits(health="/healthz", bake=5, max_errors=5)
    while killed:
        at += 1
        site = site_of()
        site.kill_at = at
        try:
            site.drive(released(image, steps=(10,)), quick)
            killed = False
        except Killed:
            pass
        except AdapterError:
            killed = False
        site.kill_at = 0
        assert not site.images.users_of("app:sick")
        try:
            site.drive(released(image, steps=(10,)), quick)
        except AdapterError as error:
            assert image == "app:sick" and "taken back" in str(error)
        assert site.percents() == ({"app:v2": 100} if image == "app:v2" else {"app:v1": 100})
        assert site.no_error_seen() and not site.images.users_of("app:sick")
    assert at > 10


def test_a_lost_answer_makes_no_second_version() -> None:
    """Would catch a version made twice because the answer to the first making was lost."""
    for at in range(1, 8):
        site = site_of()
        site.run.faults.append(Fault("PATCH", at=at, after=True))
        site.drive(released("app:v2", steps=(10,)))
        assert len(site.run.services["projects/shop/locations/europe-west1/services/web"].revisions) == 2
        assert site.percents() == {"app:v2": 100} and site.no_error_seen()


def test_a_used_up_quota_is_waited_for_and_an_expired_login_is_said(site: Site) -> None:
    """Would catch a release given up for a moment's quota, or one that waits for credentials to come back."""
    quota = RefusedError(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Write requests'")
    site.run.faults.append(Fault("PATCH", body=quota))
    site.drive(Wish("web", Aim.DEPLOYED, "app:v2"))
    expired = RefusedError(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
    site.run.faults.append(Fault("PATCH", body=expired))
    with pytest.raises(AdapterError, match=r"Cloud Run service web .*invalid authentication.*log in again"):
        site.drive(Wish("web", Aim.RELEASED))
    assert site.percents() == {"app:v1": 100}
    site.drive(Wish("web", Aim.RELEASED))
    assert site.percents() == {"app:v2": 100} and site.no_error_seen()


def test_a_smoke_command_stands_before_users(site: Site) -> None:
    """Would catch a command whose failure is not heard, or one that is not told where the new version is."""
    smoke = ("sh", "-c", 'case "$SOCLE_URL" in *next---web) echo no stock; exit 3;; esac')
    with pytest.raises(AdapterError, match=r"smoke command sh ended with 3: no stock"):
        site.drive(released("app:v2"), Limits(smoke=smoke))
    assert not site.images.users_of("app:v2") and site.percents() == {"app:v1": 100}


def test_where_users_are_is_read_and_not_what_was_wished(site: Site) -> None:
    """Would catch a release that takes the wish for the truth: it would pin users to a version that never ran."""
    site.drive(Wish("web", Aim.DEPLOYED, "app:v2"))
    site.drive(BACK)
    service = site.run.services[PATH]
    dead = {"containers": [{"image": "app:dead"}]}
    site.run.handle("PATCH", f"v2/{PATH}", {"updateMask": "template"}, {"template": dead})
    wish = [{"type": BY_NAME, "revision": service.created.rpartition("/")[2], "percent": 100}]
    site.run.handle("PATCH", f"v2/{PATH}", {"updateMask": "traffic"}, {"traffic": wish})
    stand = site.port().read()
    while stand.moving:
        stand = site.port().read()
    assert stand.old is not None and (stand.old.image, stand.old.percent) == ("app:v1", 100)
    site.images.add("app:v3")
    site.drive(released("app:v3", percent=10))
    assert site.percents() == {"app:v1": 90, "app:v3": 10} and site.no_error_seen()
