# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases on ECS behind weighted target groups, against moto with a way for requests, with users coming all along."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from ansible_collections.socle.platform.plugins.module_utils._objects import AdapterError
from ansible_collections.socle.platform.plugins.module_utils._releases.model import Aim, Limits, Phase, Stale, Wish
from botocore.exceptions import EndpointConnectionError
from cloud_site import Killed
from clouds.plain_amazon import CodedError
from ecs_site import BACK, READS, Site, released, site_of, site_on_moto

# Before each call in the long tests, before every third one otherwise.
EACH = 1 if os.environ.get("SOCLE_LONG") else 3
QUICK = Limits(health="/healthz", bake=5, max_errors=5)
CALM = Limits(health="/healthz", bake=5)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "lab")


@pytest.fixture
def site() -> Site:
    return site_of()


@pytest.fixture
def moto() -> Iterator[Site]:
    with site_on_moto() as made:
        yield made


def test_a_new_version_takes_over_in_steps_and_goes_home(site: Site) -> None:
    """Would catch an error for a user, a service that Terraform finds changed, or tasks that are left behind."""
    stand = site.drive(released("app:v2", version="v2", commit="abc", by="ada", steps=(10, 50)))
    assert stand.record.phase is Phase.DONE and (stand.record.by, stand.record.commit) == ("ada", "abc")
    assert site.percents() == {"app:v2": 100}
    assert site.running() == {"web": "2 app:v2", "web-next": "0 app:v2"}
    assert site.no_error_seen()
    site.drive(released("app:v3"))
    assert site.running() == {"web": "2 app:v3", "web-next": "0 app:v3"} and site.no_error_seen()


def test_nobody_gets_a_version_that_is_deployed_only(site: Site) -> None:
    """Would catch a version under test that users meet, or a test path that leads to the old one."""
    stand = site.drive(Wish("web", Aim.DEPLOYED, "app:v2"))
    assert site.percents() == {"app:v1": 100} and not site.images.users_of("app:v2")
    assert stand.new is not None and stand.new.url.endswith(":80/next")
    assert site.aws.serve("/next/orders") == (200, "app:v2")
    site.drive(Wish("web", Aim.RELEASED))
    assert site.percents() == {"app:v2": 100} and site.no_error_seen()


@pytest.mark.parametrize("image", ["app:sick", "app:dead", "app:missing"])
def test_a_failing_version_never_gets_a_user(site: Site, image: str) -> None:
    """Would catch a version that fails its health, its start or its pull and is promoted all the same."""
    with pytest.raises(AdapterError, match=r"was taken back"):
        site.drive(released(image, steps=(10,)))
    assert not site.images.users_of(image)
    assert site.percents() == {"app:v1": 100} and site.no_error_seen()
    assert site.running()["web-next"].startswith("0 ")
    with pytest.raises(AdapterError, match="set again to true"):
        site.drive(released(image))
    site.drive(released("app:v2"))
    assert site.percents() == {"app:v2": 100} and site.no_error_seen()


def test_errors_of_users_take_a_version_back(site: Site) -> None:
    """Would catch an error rate that nobody looks at: this version is healthy and answers users with 500."""
    with pytest.raises(AdapterError, match=r"answers to users were errors, at most 5 % are allowed"):
        site.drive(released("app:faulty", steps=(10, 50)))
    assert site.percents() == {"app:v1": 100}
    assert 0 < len(site.images.users_of("app:faulty")) < len(site.got) / 4


def test_an_alarm_takes_a_version_back(site: Site) -> None:
    """Would catch an alarm that rings and is not heard."""
    assert site.plain is not None
    alarms = site.plain.tables.alarms
    alarms["slow"] = ("OK", "")
    port = site.port
    site.port = lambda: _with_alarm(port())  # type: ignore[method-assign] # this service is watched by an alarm
    site.drive(released("app:v2", percent=10))
    alarms["slow"] = ("ALARM", "2.4 s is more than 1 s")
    with pytest.raises(AdapterError, match=r"taken back: alarm slow: 2.4 s is more than 1 s"):
        site.drive(Wish("web", Aim.RELEASED))
    assert site.percents() == {"app:v1": 100} and site.no_error_seen()


def _with_alarm(port: object) -> object:
    port.alarm_names = ("slow",)  # type: ignore[attr-defined] # a port of ECS
    return port


def test_one_command_brings_the_version_before_back(site: Site) -> None:
    """Would catch a roll-back that cannot start what runs no more, or that swaps each time it is run."""
    site.drive(released("app:v2"))
    site.drive(BACK)
    assert site.percents() == {"app:v1": 100} and site.running() == {"web": "2 app:v1", "web-next": "0 app:v1"}
    writes = [call for call in site.calls if not call.startswith(READS)]
    site.drive(BACK)
    assert [call for call in site.calls if not call.startswith(READS)] == writes
    assert site.no_error_seen()


def test_another_release_cannot_come_between(site: Site) -> None:
    """Would catch a second version that takes the place of one that users are moving to."""
    site.drive(released("app:v2", percent=10, by="ada"))
    assert site.percents() == {"app:v1": 90, "app:v2": 10}
    with pytest.raises(AdapterError, match=r"a release of app:v2 is under way .* by ada, 10 %"):
        site.drive(released("app:v3"))
    site.drive(BACK)
    assert site.percents() == {"app:v1": 100} and site.no_error_seen()


@pytest.mark.parametrize("image", ["app:v2", "app:sick"])
def test_killed_at_any_call_the_next_run_goes_on(image: str) -> None:
    """Would catch state kept anywhere but in the cloud: a run is ended before each of its calls in turn."""
    at, killed = 0, True
    while killed:
        at += EACH
        site = site_of()
        site.kill_at = at
        try:
            site.drive(released(image, steps=(10,)), QUICK)
            killed = False
        except Killed:
            pass
        except AdapterError:
            killed = False
        site.kill_at = 0
        try:
            site.drive(released(image, steps=(10,)), QUICK)
        except AdapterError as error:
            assert image == "app:sick" and "taken back" in str(error)
        assert site.percents() == ({"app:v2": 100} if image == "app:v2" else {"app:v1": 100})
        assert site.running()["web-next"].startswith("0 ")
        assert site.no_error_seen() and not site.images.users_of("app:sick")
    assert at > 20


def test_a_lost_answer_makes_no_second_version() -> None:
    """Would catch a version registered twice because the answer to the first time was lost."""
    site = site_of()
    site.drive(released("app:v2"), QUICK)
    writes = [n for n, call in enumerate(site.calls, 1) if not call.startswith(READS)]
    for at in writes:
        site = site_of()
        site.lose_at = at
        site.drive(released("app:v2"), QUICK)
        assert len(site.aws.ecs.definitions) == 2, at
        assert site.percents() == {"app:v2": 100} and site.no_error_seen()


def test_what_aws_refuses_is_waited_for_or_said(site: Site) -> None:
    """Would catch a release given up for a moment's throttling, or credentials and quotas said as a code alone."""
    site.refusals["modify_rule"] = CodedError("Throttling", "Rate exceeded")
    site.refusals["register_task_definition"] = CodedError("ThrottlingException", "Rate exceeded")
    site.drive(Wish("web", Aim.DEPLOYED, "app:v2"), QUICK)
    said = {
        CodedError("ExpiredTokenException", "The security token is expired"): r"sign in again; nothing is lost",
        CodedError("AccessDenied", "User x is not authorized to perform: elasticloadbalancing:ModifyRule on y"): (
            r"allow elasticloadbalancing:ModifyRule to whoever runs this"
        ),
        CodedError("LimitExceededException", "too many"): r"a quota of the account is used up",
        EndpointConnectionError(endpoint_url="https://ecs.mars-1.amazonaws.com"): r"correct the region",
    }
    for error, sentence in said.items():
        site.refusals["modify_rule"] = error
        with pytest.raises(AdapterError, match=sentence):
            site.drive(Wish("web", Aim.RELEASED), QUICK)
        assert site.percents() == {"app:v1": 100}
    site.drive(Wish("web", Aim.RELEASED), QUICK)
    assert site.percents() == {"app:v2": 100} and site.no_error_seen()


def test_what_the_plain_double_says_moto_says_too(moto: Site) -> None:
    """Would catch a call, a parameter or an answer that AWS's own model of its APIs does not know."""
    watch = moto.aws.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="slow", Namespace="AWS/ApplicationELB", MetricName="TargetResponseTime", Threshold=1, Period=60,
        EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold", Statistic="Maximum",
    )  # fmt: skip
    moto.aws.client("ecr").create_repository(repositoryName="shop/web")
    with pytest.raises(AdapterError, match=r"shop/web:9.9 is not in ECR .*push it first"):
        moto.drive(released("123456789012.dkr.ecr.eu-west-3.amazonaws.com/shop/web:9.9"))
    assert set(moto.running()) == {"web"}
    port = moto.port
    moto.port = lambda: _with_alarm(port())  # type: ignore[method-assign] # this service is watched by an alarm
    with pytest.raises(AdapterError, match=r"answers to users were errors"):
        moto.drive(released("app:faulty", steps=(10,)), QUICK)
    moto.drive(released("app:v2", percent=10), CALM)
    watch.set_alarm_state(AlarmName="slow", StateValue="ALARM", StateReason="2.4 s is more than 1 s")
    with pytest.raises(AdapterError, match=r"taken back: alarm slow: 2.4 s is more than 1 s"):
        moto.drive(Wish("web", Aim.RELEASED), CALM)
    watch.set_alarm_state(AlarmName="slow", StateValue="OK", StateReason="0.1 s")
    moto.drive(released("app:v3"), CALM)
    moto.drive(BACK, CALM)
    assert moto.percents() == {"app:v1": 100} and moto.running() == {"web": "2 app:v1", "web-next": "0 app:v1"}


def test_of_two_releases_that_begin_at_the_same_moment_one_has_the_way(site: Site) -> None:
    """Would catch two new versions that are both under way because neither saw the other begin."""
    one, other = site.port(), site.port()
    before = one.read(), other.read()
    one.make(before[0], released("app:v2"))
    with pytest.raises(Stale, match="another release has just begun"):
        other.make(before[1], released("app:v3"))
    assert other.read().record.image == "app:v2"
    assert site.plain is not None
    assert [one.status for one in site.plain.tables.definitions.values()] == ["ACTIVE", "ACTIVE", "INACTIVE"]


def test_a_version_that_never_gets_ready_does_not_hold_up_its_release(site: Site) -> None:
    """Would catch a release that waits until its deadline for tasks that no circuit breaker gives up."""
    site.aws.patience = 10**6
    with pytest.raises(AdapterError, match=r"taken back: it was not ready within 60 s: web-next: .* in progress"):
        site.drive(released("app:v2"), Limits(patience=60))
    assert site.percents() == {"app:v1": 100} and not site.images.users_of("app:v2")
    assert site.running()["web-next"].startswith("0 ")
