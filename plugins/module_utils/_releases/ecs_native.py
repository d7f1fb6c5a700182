# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A service whose deployments ECS moves itself (BLUE_GREEN, CANARY, LINEAR): a release holds them at a pause.

ECS starts the new version, leads the test rule to it, and stops at a pause before the first user. There it is checked;
then ECS goes on by its own steps, watched by its alarms and by us. Where users are is in the deployment itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._objects import AdapterError
from . import ecs_tasks
from .amazon import Amazon
from .ecs_balancer import FULL, Balancer
from .ecs_watch import alarms_of, rate_of, ringing
from .model import Health, Phase, Rate, Record, Stale, Stand, Version, Wish, there

PAUSED_AT = "POST_TEST_TRAFFIC_SHIFT"
UNDER_WAY = frozenset({"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
GOING_BACK = frozenset({"STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
# ECS takes a version back by itself when nobody has answered for so long.
PATIENCE_MINUTES = 1440


class EcsNative:
    """The port of one service."""

    def __init__(
        self, amazon: Amazon, cluster: str, service: str, *, container: str = "", alarms: Sequence[str] = ()
    ) -> None:
        self.amazon, self.cluster, self.service = amazon, cluster, service
        self.what = f"ECS service {service} in cluster {cluster}"
        self.tasks = ecs_tasks.Tasks(amazon, self.what, container or service)
        self.alarm_names = tuple(alarms)
        self.balancer = Balancer(amazon, self.what, {})
        self.found: dict[str, Any] = {}
        self.deployment: dict[str, Any] = {}
        self._definitions: dict[str, str] = {}
        self.orphan = ""

    # -- reading

    def read(self) -> Stand:
        self.found = describe(self.amazon, self.what, self.cluster, self.service)
        self.deployment = self._newest_deployment()
        current = ecs_tasks.short(str(self.found["taskDefinition"]))
        newest, record, before = self.tasks.newest(current.partition(":")[0])
        deployment, status = self.deployment, str(self.deployment.get("status") or "")
        target = self._definition_of(deployment.get("targetServiceRevision"))
        shares = self._shares(target, status, current)
        ours = record.phase is Phase.OPEN and target == newest
        # Begun by a run whose release was taken back at the same moment: nobody else would answer it.
        self.orphan = target if self._pause() and not ours and status not in GOING_BACK else ""
        moving = "" if self.orphan else self._moving(status, target, newest, record)
        if record.phase is Phase.NONE:
            old = self._version(current, shares, Health.READY, "")
            return Stand(self.service, record, None, old, moving=moving, tidy=self._left_over(status))
        new = self._version(newest, shares, *self._health(newest, target, status, shares))
        if record.phase is Phase.OPEN and new.health is Health.READY:
            new = replace(new, url=self._test_url())
        old_version = None
        if before:
            known = Health.READY if shares.get(before) else Health.STOPPED
            old_version = self._version(before, shares, known, "" if known is Health.READY else "it does not run")
        return Stand(
            service=self.service,
            record=record,
            new=new,
            old=old_version,
            moving=moving,
            interruptible=status in UNDER_WAY and status not in GOING_BACK and record.phase is Phase.OPEN,
            trouble=str(deployment.get("statusReason") or ""),
            tidy="" if record.phase is Phase.OPEN else self._left_over(status),
        )

    def _newest_deployment(self) -> dict[str, Any]:
        arn = self.found.get("currentServiceDeployment")
        if not arn:
            listed = self.amazon.call(
                "ecs", "list_service_deployments", self.what, cluster=self.cluster, service=self.service
            )["serviceDeployments"]
            if not listed:
                return {}
            arn = max(listed, key=lambda one: one["createdAt"])["serviceDeploymentArn"]
        found = self.amazon.call("ecs", "describe_service_deployments", self.what, serviceDeploymentArns=[arn])[
            "serviceDeployments"
        ]
        return dict(found[0]) if found else {}

    def _definition_of(self, revision: Mapping[str, Any] | None) -> str:
        arn = str((revision or {}).get("arn") or "")
        if arn and arn not in self._definitions:
            found = self.amazon.call("ecs", "describe_service_revisions", self.what, serviceRevisionArns=[arn])[
                "serviceRevisions"
            ]
            self._definitions[arn] = ecs_tasks.short(str(found[0]["taskDefinition"])) if found else ""
        return self._definitions.get(arn, "")

    def _shares(self, target: str, status: str, current: str) -> dict[str, int]:
        """Who has how many users, by task definition."""
        deployment = self.deployment
        if not deployment:
            return {current: FULL}
        revisions = [deployment.get("targetServiceRevision"), *deployment.get("sourceServiceRevisions", [])]
        shares: dict[str, int] = {}
        for revision in revisions:
            if revision is not None:
                name = self._definition_of(revision)
                weight = round(float(revision.get("requestedProductionTrafficWeight") or 0))
                shares[name] = shares.get(name, 0) + weight
        if status == "SUCCESSFUL":
            return {target: FULL}
        return shares

    def _health(self, newest: str, target: str, status: str, shares: Mapping[str, int]) -> tuple[Health, str]:
        if newest != target:
            return Health.STOPPED, "ECS does not deploy it"
        if status == "SUCCESSFUL":
            return Health.READY, ""
        if status not in UNDER_WAY or status in GOING_BACK:
            return Health.FAILED, self._why()
        if self._pause() or shares.get(newest):
            return Health.READY, ""
        stage = str(self.deployment.get("lifecycleStage") or status)
        return Health.COMING, f"ECS is at {stage}{self._after(self.deployment.get('statusReason'))}"

    def _why(self) -> str:
        rollback = self.deployment.get("rollback") or {}
        ringing = (self.deployment.get("alarms") or {}).get("triggeredAlarmNames") or []
        said = str(rollback.get("reason") or self.deployment.get("statusReason") or "ECS says no reason")
        return f"ECS took it back: {said}" + (f" (alarm {', '.join(ringing)})" if ringing else "")

    @staticmethod
    def _after(text: Any) -> str:
        return f": {text}" if text else ""

    def _moving(self, status: str, target: str, newest: str, record: Record) -> str:
        if status in GOING_BACK:
            return f"ECS gives users the version before{self._after(self.deployment.get('statusReason'))}"
        if status not in UNDER_WAY:
            return ""
        # Our own new version that is not paused: it starts, or ECS moves users to it.
        if record.phase is Phase.OPEN and target == newest:
            weight = (self.deployment.get("targetServiceRevision") or {}).get("requestedProductionTrafficWeight") or 0
            return f"ECS moves users, {weight:.0f} % so far" if weight and not self._pause() else ""
        return f"ECS deploys {target}, stage {self.deployment.get('lifecycleStage') or status}"

    def _pause(self) -> str:
        """The hook that waits for an answer; empty when none does."""
        for hook in self.deployment.get("lifecycleHookDetails", []):
            if hook.get("targetType") == "PAUSE" and hook.get("status") == "AWAITING_ACTION":
                return str(hook["hookId"])
        return ""

    def _version(self, name: str, shares: Mapping[str, int], health: Health, why: str) -> Version:
        return Version(name, self.tasks.image(name), shares.get(name, 0), health, why, since=self.tasks.since(name))

    def _test_url(self) -> str:
        self.balancer.read(self.found)
        return self.balancer.test_url() or "(unknown)"

    def _hooks(self) -> list[dict[str, Any]]:
        return list((self.found.get("deploymentConfiguration") or {}).get("lifecycleHooks") or [])

    def _left_over(self, status: str) -> str:
        if self.orphan:
            return f"taking back {self.orphan}, which waits for an answer that nobody will give"
        if status in UNDER_WAY or not any(hook.get("targetType") == "PAUSE" for hook in self._hooks()):
            return ""
        return f"taking the pause out of the deployments of {self.service}"

    # -- writing

    def make(self, stand: Stand, wish: Wish) -> None:
        if stand.record.phase is Phase.OPEN:
            name = there(stand.new, "new").name
        else:
            self.tasks.must_be_pushed(wish.image)
            record = Record(Phase.OPEN, wish.image, wish.version, wish.commit, wish.by, ecs_tasks.now())
            current = ecs_tasks.short(str(self.found["taskDefinition"]))
            name = self.tasks.register(current, record, before=current)
        pause = {
            "targetType": "PAUSE",
            "lifecycleStages": [PAUSED_AT],
            "timeoutConfiguration": {"timeoutInMinutes": PATIENCE_MINUTES, "action": "ROLLBACK"},
        }
        self._update(taskDefinition=name, deploymentConfiguration=self._configured([*self._others(), pause]))

    def _others(self) -> list[dict[str, Any]]:
        return [hook for hook in self._hooks() if hook.get("targetType") != "PAUSE"]

    def _configured(self, hooks: list[dict[str, Any]]) -> dict[str, Any]:
        return {**(self.found.get("deploymentConfiguration") or {}), "lifecycleHooks": hooks}

    def _update(self, **change: Any) -> None:
        self.amazon.call("ecs", "update_service", self.what, cluster=self.cluster, service=self.service, **change)

    def expose(self, stand: Stand) -> None:
        """ECS leads the test rule there itself."""

    def passed(self, stand: Stand) -> None:
        self.tasks.write(there(stand.new, "new").name, replace(stand.record, tested=True))

    def shift(self, stand: Stand, percent: int) -> None:
        """ECS goes on by its own steps; which ones is the service's strategy."""
        del stand, percent
        pause = self._pause()
        if not pause:
            raise Stale(f"{self.what}: it waits for no answer any more", "somebody else is at work on it")
        self._answer(pause, "CONTINUE")

    def _answer(self, pause: str, action: str) -> None:
        arn = self.deployment["serviceDeploymentArn"]
        self.amazon.call(
            "ecs", "continue_service_deployment", self.what, serviceDeploymentArn=arn, hookId=pause, action=action
        )

    def reject(self, stand: Stand, reason: str) -> None:
        """Users first, the word after: a run that dies between the two leaves nobody with a bad version."""
        name = there(stand.new, "new").name
        target = self._definition_of(self.deployment.get("targetServiceRevision"))
        status = str(self.deployment.get("status") or "")
        if target == name and status in UNDER_WAY and status not in GOING_BACK:
            pause = self._pause()
            if pause:
                self._answer(pause, "ROLLBACK")
            else:
                self.amazon.call(
                    "ecs", "stop_service_deployment", self.what, stopType="ROLLBACK",
                    serviceDeploymentArn=self.deployment["serviceDeploymentArn"],
                )  # fmt: skip
        elif stand.new is not None and stand.new.percent and stand.old is not None:
            # ECS was done with it: the way back is a deployment of its own.
            self.start_old(stand)
        self.tasks.write(name, replace(stand.record, phase=Phase.FAILED, reason=reason))

    def start_old(self, stand: Stand) -> None:
        """ECS moves users back as it moved them there, without a pause."""
        name = there(stand.old, "old").name
        self._update(taskDefinition=name, deploymentConfiguration=self._configured(self._others()))

    def close(self, stand: Stand) -> None:
        self.tasks.write(there(stand.new, "new").name, replace(stand.record, phase=Phase.DONE))

    def put_away(self, stand: Stand) -> None:
        del stand
        if self.orphan:
            self._answer(self._pause(), "ROLLBACK")
        else:
            self._update(deploymentConfiguration=self._configured(self._others()))

    # -- what users got

    def rate(self, stand: Stand, seconds: float) -> Rate | None:
        known = self.balancer.known
        groups = [
            str(one["targetGroupArn"])
            for revision in self._revision_of_target()
            for one in (revision.get("resolvedConfiguration") or {}).get("loadBalancers", [])
            if one.get("targetGroupArn")
        ]
        if not groups:
            return None
        return rate_of(self.amazon, self.what, known.balancer, groups[0], stand.record.at, seconds)

    def _revision_of_target(self) -> list[dict[str, Any]]:
        arn = str((self.deployment.get("targetServiceRevision") or {}).get("arn") or "")
        if not arn:
            return []
        return list(
            self.amazon.call("ecs", "describe_service_revisions", self.what, serviceRevisionArns=[arn])[
                "serviceRevisions"
            ]
        )

    def alarms(self, stand: Stand) -> Sequence[str]:
        del stand
        return ringing(self.amazon, self.what, list(self.alarm_names) or alarms_of(self.found))


def describe(amazon: Amazon, what: str, cluster: str, service: str) -> dict[str, Any]:
    """The service as ECS has it."""
    found = amazon.call("ecs", "describe_services", what, cluster=cluster, services=[service], include=["TAGS"])
    there_ = [one for one in found.get("services", []) if one.get("status") != "INACTIVE"]
    if not there_:
        missing = ", ".join(str(one.get("reason")) for one in found.get("failures", [])) or "MISSING"
        raise AdapterError(
            f"{what}: it is not there ({missing})", "make it first (playbooks/clouds.yml), or correct its name"
        )
    return dict(there_[0])


def is_native(found: Mapping[str, Any]) -> bool:
    return bool((found.get("deploymentConfiguration") or {}).get("strategy", "ROLLING") != "ROLLING")
