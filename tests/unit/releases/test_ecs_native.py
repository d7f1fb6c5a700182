# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of services that ECS moves itself, held at a pause, with users coming all along."""

from __future__ import annotations

import os

import pytest
from ansible_collections.socle.platform.plugins.module_utils._objects import AdapterError
from ansible_collections.socle.platform.plugins.module_utils._releases.model import Aim, Limits, Phase, Wish
from cloud_site import Killed
from ecs_site import BACK, Site, released, site_of

# Before each call in the long tests, before every third one otherwise.
EACH = 1 if os.environ.get("SOCLE_LONG") else 3
QUICK = Limits(health="/healthz", bake=5, max_errors=5)


def running(site: Site) -> set[str]:
    site.aws.tick()
    return {task.image for task in site.aws.natives["web"].tasks}


def hooks(site: Site) -> list[dict[str, str]]:
    return list(site.aws.ecs.services["web"].deployment_configuration.get("lifecycleHooks", []))


@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "CANARY"])
def test_a_new_version_takes_over(strategy: str) -> None:
    """Would catch an error for a user, a pause that is never answered, or one that is left for Terraform to find."""
    site = site_of(strategy=strategy)
    stand = site.drive(released("app:v2", version="v2", by="ada"), QUICK)
    assert stand.record.phase is Phase.DONE and stand.record.by == "ada"
    assert site.percents() == {"app:v2": 100} and running(site) == {"app:v2"}
    assert hooks(site) == [] and site.no_error_seen()
    site.drive(BACK, QUICK)
    assert site.percents() == {"app:v1": 100} and running(site) == {"app:v1"} and site.no_error_seen()
    calls = len(site.calls)
    site.drive(BACK, QUICK)
    assert all(call.startswith(("describe_", "list_", "get_")) for call in site.calls[calls:])


def test_nobody_gets_a_version_that_is_deployed_only() -> None:
    """Would catch ECS going on to users before anybody has said so."""
    site = site_of(strategy="BLUE_GREEN")
    stand = site.drive(Wish("web", Aim.DEPLOYED, "app:v2"), QUICK)
    for _moment in range(50):
        site.users()
        site.aws.tick()
    assert site.percents() == {"app:v1": 100} and not site.images.users_of("app:v2")
    assert stand.new is not None and site.look(stand.new.url + "/", ()) == ""
    assert site.aws.serve("/next/orders") == (200, "app:v2")
    site.drive(Wish("web", Aim.RELEASED), QUICK)
    assert site.percents() == {"app:v2": 100} and site.no_error_seen()


@pytest.mark.parametrize("image", ["app:sick", "app:dead", "app:missing"])
def test_a_failing_version_never_gets_a_user(image: str) -> None:
    """Would catch a version that ECS itself gave up and that is reported as released, or that met a user."""
    site = site_of(strategy="BLUE_GREEN")
    with pytest.raises(AdapterError, match=r"was taken back: ECS took it back: ECS deployment circuit breaker"):
        site.drive(released(image), QUICK)
    assert not site.images.users_of(image) and site.percents() == {"app:v1": 100} and site.no_error_seen()


def test_what_the_smoke_command_finds_goes_back_before_users() -> None:
    """Would catch a pause that is answered with CONTINUE whatever the check said."""
    site = site_of(strategy="BLUE_GREEN")
    with pytest.raises(AdapterError, match=r"smoke command sh ended with 3: no stock"):
        site.drive(released("app:v2"), Limits(smoke=("sh", "-c", "echo no stock; exit 3")))
    site.aws.tick()
    assert not site.images.users_of("app:v2") and site.percents() == {"app:v1": 100} and site.no_error_seen()


def test_errors_of_users_and_alarms_take_a_version_back() -> None:
    """Would catch a canary of ECS that nobody watches, or its own roll-back that is reported as a release."""
    site = site_of(strategy="CANARY")
    with pytest.raises(AdapterError, match=r"answers to users were errors, at most 5 % are allowed"):
        site.drive(released("app:faulty"), QUICK)
    site.aws.tick()
    assert site.percents() == {"app:v1": 100} and 0 < len(site.images.users_of("app:faulty")) < len(site.got) / 4
    site.drive(Wish("web", Aim.DEPLOYED, "app:v2"), QUICK)
    assert site.plain is not None
    site.plain.tables.alarms["slow"] = ("ALARM", "2.4 s is more than 1 s")
    with pytest.raises(AdapterError, match=r"taken back: alarm slow"):
        site.drive(Wish("web", Aim.RELEASED), QUICK)
    site.aws.tick()
    assert site.percents() == {"app:v1": 100}


def test_a_roll_back_does_not_wait_for_the_end() -> None:
    """Would catch a roll-back that stands in line behind the release that it is to end."""
    site = site_of(strategy="CANARY")
    seen = []

    def until_users() -> bool:
        seen.append(site.percents().get("app:v2", 0))
        if seen.count(10) == 1:
            raise Killed
        return False

    site.hook = until_users
    with pytest.raises(Killed):
        site.drive(released("app:v2"), QUICK)
    seen.append(10)
    site.drive(BACK, QUICK)
    assert site.percents() == {"app:v1": 100} and site.no_error_seen()
    assert max(seen) == 10


@pytest.mark.parametrize("image", ["app:v2", "app:sick"])
def test_killed_at_any_call_the_next_run_goes_on(image: str) -> None:
    """Would catch state kept anywhere but in the cloud: a run is ended before each of its calls in turn."""
    at, killed = 0, True
    while killed:
        at += EACH
        site = site_of(strategy="BLUE_GREEN")
        site.kill_at = at
        try:
            site.drive(released(image), QUICK)
            killed = False
        except Killed:
            pass
        except AdapterError:
            killed = False
        site.kill_at = 0
        try:
            site.drive(released(image), QUICK)
        except AdapterError as error:
            assert image == "app:sick" and "taken back" in str(error)
        assert site.percents() == ({"app:v2": 100} if image == "app:v2" else {"app:v1": 100})
        assert hooks(site) == [], at
        assert site.no_error_seen() and not site.images.users_of("app:sick")
    assert at > 20


def test_a_pause_that_nobody_will_answer_is_answered() -> None:
    """Would catch a deployment begun while its release was taken back: everybody would wait for it for a day."""
    for after in (released("app:v3"), BACK):
        site = site_of(strategy="BLUE_GREEN")
        site.drive(Wish("web", Aim.DEPLOYED, "app:v2"), QUICK)
        assert site.plain is not None
        site.plain.tables.definitions["shop-web:2"].tags["socle:phase"] = "failed"
        site.drive(after, QUICK)
        site.aws.tick()
        assert site.percents() == {after.image or "app:v1": 100} and site.no_error_seen()
        assert not site.images.users_of("app:v2")
