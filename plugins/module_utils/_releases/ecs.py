# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A service on ECS behind weighted target groups: the way that works with any Application Load Balancer.

The service that Terraform keeps is the version's *home*. A new version runs in a second service, the *guest*, in the
other target group. Weights of the production rule move users; the test rule leads to the guest. When the release is
done, the home gets the new version while nobody looks, users go home, and the guest's tasks stop: so home, with its
autoscaling, is what is left, and Terraform finds what it knows. The record is in the tags of its task definition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._objects import AdapterError
from . import ecs_tasks
from .amazon import Amazon
from .ecs_balancer import FULL, Balancer
from .ecs_watch import alarms_of, rate_of, ringing
from .model import Health, Phase, Rate, Record, Stale, Stand, Version, Wish, there


@dataclass(frozen=True)
class Place:
    """One of the two services, as it is."""

    name: str
    group: str
    there: bool = False
    task_definition: str = ""
    desired: int = 0
    running: int = 0
    settled: bool = False
    failure: str = ""
    said: str = ""
    found: Mapping[str, Any] | None = None


class Ecs:
    """The port of one service."""

    def __init__(
        self,
        amazon: Amazon,
        cluster: str,
        service: str,
        *,
        container: str = "",
        alarms: Sequence[str] = (),
        rules: Mapping[str, str] | None = None,
        suffix: str = "-next",
    ) -> None:
        self.amazon, self.cluster, self.service = amazon, cluster, service
        self.what = f"ECS service {service} in cluster {cluster}"
        self.tasks = ecs_tasks.Tasks(amazon, self.what, container or service)
        self.alarm_names = tuple(alarms)
        self.balancer = Balancer(amazon, self.what, dict(rules or {}))
        self.suffix = suffix
        self.home = self.guest = Place("", "")

    # -- reading

    def read(self) -> Stand:
        self._read_places()
        home, guest = self.home, self.guest
        family = home.task_definition.partition(":")[0]
        newest, record, before = self.tasks.newest(family)
        if record.phase is Phase.NONE:
            old = self._version(home.task_definition)
            return Stand(self.service, record, None, old, tidy=self._left_over(record), trouble=home.said)
        new = self._version(newest)
        if record.phase is Phase.OPEN:
            url = self.balancer.test_url() if self.balancer.tested and guest.task_definition == newest else ""
            new = replace(new, url=url)
            before = home.task_definition
        return Stand(
            service=self.service,
            record=record,
            new=new,
            old=self._version(before) if before else None,
            moving=self._moving(record),
            trouble=guest.said or home.said,
            tidy=self._left_over(record),
        )

    def _read_places(self) -> None:
        names = [self.service, f"{self.service}{self.suffix}"]
        found = self.amazon.call(
            "ecs", "describe_services", self.what, cluster=self.cluster, services=names, include=["TAGS"]
        )
        services = {one["serviceName"]: one for one in found.get("services", []) if one.get("status") != "INACTIVE"}
        if self.service not in services:
            missing = ", ".join(str(one.get("reason")) for one in found.get("failures", [])) or "MISSING"
            raise AdapterError(
                f"{self.what}: it is not there ({missing})", "make it first (playbooks/clouds.yml), or correct its name"
            )
        home = services[self.service]
        self.balancer.read(home)
        balancing = self.balancer.known
        self.home = _place(names[0], balancing.home, home)
        self.guest = _place(names[1], balancing.guest, services.get(names[1]))

    def _places_of(self, task_definition: str) -> list[Place]:
        return [
            place for place in (self.home, self.guest) if place.task_definition == task_definition and place.desired
        ]

    def _version(self, task_definition: str) -> Version:
        places = self._places_of(task_definition)
        # Home may still be on its way to a version that the guest has ready.
        seen = [(place, *self._health(place)) for place in places]
        order = {Health.READY: 0, Health.COMING: 1, Health.FAILED: 2}
        seen.sort(key=lambda one: order[one[1]])
        health, why = (seen[0][1], seen[0][2]) if seen else (Health.STOPPED, "it does not run")
        share = sum(self.balancer.shares.get(place.group, 0) for place in places)
        # A service that nobody counts on may stand at nothing while users' rule leads there.
        return Version(
            name=task_definition,
            image=self.tasks.image(task_definition),
            percent=share,
            health=health,
            why=why,
            since=self.tasks.since(task_definition),
        )

    def _health(self, place: Place) -> tuple[Health, str]:
        if place.failure:
            return Health.FAILED, f"{place.name}: {place.failure}"
        if place.running < place.desired:
            return Health.COMING, f"{place.name}: {place.running} of {place.desired} tasks run{_after(place.said)}"
        found = self.amazon.call(
            "elbv2", "describe_target_health", f"targets of {place.name}", TargetGroupArn=place.group
        )["TargetHealthDescriptions"]
        healths = [one["TargetHealth"] for one in found]
        good = sum(health.get("State") == "healthy" for health in healths)
        if good >= place.desired:
            done = place.settled
            return (
                (Health.READY, "") if done else (Health.COMING, f"{place.name}: ECS still puts its deployment in order")
            )
        reasons = {str(health.get("Description") or health.get("Reason") or health.get("State")) for health in healths}
        return (
            Health.COMING,
            f"{place.name}: {good} of {place.desired} tasks are healthy{_after('; '.join(sorted(reasons)))}",
        )

    def _moving(self, record: Record) -> str:
        """Home takes the new version: nothing else is done before it is whole."""
        home, guest = self.home, self.guest
        if (
            record.phase is Phase.OPEN
            or not self.balancer.shares.get(guest.group)
            or home.task_definition != guest.task_definition
        ):
            return ""
        health, why = self._health(home)
        return why if health is Health.COMING else ""

    def _left_over(self, record: Record) -> str:
        home, guest = self.home, self.guest
        if record.phase is Phase.OPEN or not guest.there:
            return ""
        if self.balancer.shares.get(guest.group):
            if home.task_definition != guest.task_definition:
                return f"giving {home.name} the version that users have in {guest.name}"
            return f"moving users from {guest.name} to {home.name}"
        return f"stopping the tasks of {guest.name}" if guest.desired else ""

    # -- writing

    def make(self, stand: Stand, wish: Wish) -> None:
        if stand.record.phase is Phase.OPEN:
            name = there(stand.new, "new").name
        else:
            self.tasks.must_be_pushed(wish.image)
            record = Record(Phase.OPEN, wish.image, wish.version, wish.commit, wish.by, ecs_tasks.now())
            name = self.tasks.register(self.home.task_definition, record, before=self.home.task_definition)
        self._run_guest(name)

    def _run_guest(self, task_definition: str) -> None:
        home, guest = self.home, self.guest
        count = max(1, home.desired)
        if guest.there:
            self.amazon.call(
                "ecs", "update_service", f"ECS service {guest.name}", cluster=self.cluster, service=guest.name,
                taskDefinition=task_definition, desiredCount=count,
            )  # fmt: skip
            return
        found = home.found or {}
        kept = ("networkConfiguration", "platformVersion", "healthCheckGracePeriodSeconds", "enableExecuteCommand")
        copied = {key: found[key] for key in (*kept, "enableECSManagedTags") if found.get(key) not in (None, "", {})}
        if found.get("capacityProviderStrategy"):
            copied["capacityProviderStrategy"] = found["capacityProviderStrategy"]
        elif found.get("launchType"):
            copied["launchType"] = found["launchType"]
        attached = found["loadBalancers"][0]
        self.amazon.call(
            "ecs",
            "create_service",
            f"ECS service {guest.name}",
            cluster=self.cluster,
            serviceName=guest.name,
            taskDefinition=task_definition,
            desiredCount=count,
            loadBalancers=[
                {
                    "targetGroupArn": guest.group,
                    "containerName": attached["containerName"],
                    "containerPort": attached["containerPort"],
                }
            ],
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
            tags=[{"key": "managed-by", "value": "socle"}, {"key": "socle:guest-of", "value": home.name}],
            **copied,
        )

    def expose(self, stand: Stand) -> None:
        del stand
        self.balancer.weigh(self.balancer.known.test, home=0, guest=FULL)

    def passed(self, stand: Stand) -> None:
        self.tasks.write(there(stand.new, "new").name, replace(stand.record, tested=True))

    def shift(self, stand: Stand, percent: int) -> None:
        if self.guest.task_definition != there(stand.new, "new").name:
            raise Stale(f"{self.what}: its new version runs no longer", "somebody else is at work on it")
        self.balancer.weigh(self.balancer.known.production, home=FULL - percent, guest=percent)

    def reject(self, stand: Stand, reason: str) -> None:
        """Users first, the word after: a run that dies between the two leaves nobody with a bad version."""
        new, old = there(stand.new, "new"), there(stand.old, "old")
        if new.percent:
            to_home = self.home.task_definition == old.name
            self.balancer.weigh(
                self.balancer.known.production, home=FULL if to_home else 0, guest=0 if to_home else FULL
            )
        if self.balancer.tested:
            self.balancer.weigh(self.balancer.known.test, home=FULL, guest=0)
        self.tasks.write(new.name, replace(stand.record, phase=Phase.FAILED, reason=reason))

    def start_old(self, stand: Stand) -> None:
        self._run_guest(there(stand.old, "old").name)

    def close(self, stand: Stand) -> None:
        self.tasks.write(there(stand.new, "new").name, replace(stand.record, phase=Phase.DONE))

    def put_away(self, stand: Stand) -> None:
        del stand
        home, guest = self.home, self.guest
        if not self.balancer.shares.get(guest.group):
            self.balancer.weigh(self.balancer.known.test, home=FULL, guest=0)
            self.amazon.call(
                "ecs", "update_service", f"ECS service {guest.name}", cluster=self.cluster, service=guest.name,
                desiredCount=0,
            )  # fmt: skip
        elif home.task_definition != guest.task_definition:
            self.amazon.call(
                "ecs", "update_service", self.what, cluster=self.cluster, service=home.name,
                taskDefinition=guest.task_definition,
            )  # fmt: skip
        else:
            health, why = self._health(home)
            if health is not Health.READY:
                raise AdapterError(
                    f"users stay with {guest.name}: {why}", "look at the service's events, then run again"
                )
            self.balancer.weigh(self.balancer.known.production, home=FULL, guest=0)

    # -- what users got

    def rate(self, stand: Stand, seconds: float) -> Rate | None:
        known = self.balancer.known
        return rate_of(self.amazon, self.what, known.balancer, known.guest, stand.record.at, seconds)

    def alarms(self, stand: Stand) -> Sequence[str]:
        del stand
        return ringing(self.amazon, self.what, list(self.alarm_names) or alarms_of(self.home.found or {}))


def _place(name: str, group: str, found: Mapping[str, Any] | None) -> Place:
    if found is None:
        return Place(name, group)
    deployments = found.get("deployments") or []
    primary: Mapping[str, Any] = next((one for one in deployments if one.get("status") == "PRIMARY"), {})
    desired, running = int(found.get("desiredCount") or 0), int(found.get("runningCount") or 0)
    failed = primary.get("rolloutState") == "FAILED"
    events = found.get("events") or []
    return Place(
        name=name,
        group=group,
        there=True,
        task_definition=ecs_tasks.short(str(found.get("taskDefinition") or "")),
        desired=desired,
        running=running,
        # A service whose tasks are those of one deployment only, all of them.
        settled=len(deployments) == 1 and running == desired and primary.get("rolloutState") in ("COMPLETED", None),
        failure=str(primary.get("rolloutStateReason") or "its deployment failed") if failed else "",
        said=str(events[0].get("message") or "") if events else "",
        found=found,
    )


def _after(text: str) -> str:
    return f": {text}" if text else ""
