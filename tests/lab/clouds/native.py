# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ECS's own blue/green and canary deployments, which moto does not have: stages, a pause, alarms, the way back."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from .amazon import BREAKS, Aws, Task, now

UNDER_WAY = ("PENDING", "IN_PROGRESS", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")


@dataclass
class Deployment:
    arn: str
    source: str
    target: str
    groups: tuple[str, str]
    """Of the version before, of the new one."""
    status: str = "IN_PROGRESS"
    stage: str = "SCALE_UP"
    reason: str = ""
    hook: dict[str, Any] = field(default_factory=dict)
    weight: int = 0
    ticks: int = 0
    failures: int = 0
    rang: list[str] = field(default_factory=list)
    created: Any = field(default_factory=now)


class Native:
    """The deployments of one service. A look at it is a moment."""

    def __init__(
        self, aws: Aws, service: SimpleNamespace, rules: dict[str, Any], groups: tuple[str, str], alarms: Any
    ) -> None:
        self.aws, self.service, self.rules, self.alarms = aws, service, rules, alarms
        self.groups, self.deployments, self.live = groups, [], groups[0]
        self.running = service.task_definition.rpartition("/")[2]
        self.tasks: list[Task] = []
        self._start(self.running, groups[0])
        for task in self.tasks:
            task.age = 99

    @property
    def newest(self) -> Deployment | None:
        return self.deployments[-1] if self.deployments else None

    def deploy(self, target: str) -> None:
        """Another version while one is under way takes its place."""
        newest = self.newest
        if newest is not None and newest.status in UNDER_WAY:
            self._back(newest, "another deployment was started")
        other = self.groups[1] if self.live == self.groups[0] else self.groups[0]
        arn = f"{self.service.arn.replace(':service/', ':service-deployment/')}/{len(self.deployments) + 1}"
        self.deployments.append(Deployment(arn, self.running, target, (self.live, other)))

    def step(self) -> None:
        for task in self.tasks:
            task.age += 1
        newest = self.newest
        if newest is not None and newest.status in UNDER_WAY:
            if newest.status == "IN_PROGRESS":
                getattr(self, f"_{newest.stage.lower()}")(newest)
            else:
                self._back(newest, newest.reason)
        self.service.running_count = len(self.tasks)
        state = "IN_PROGRESS" if newest is not None and newest.status in UNDER_WAY else "COMPLETED"
        self.service.deployments = [
            {
                "id": "ecs-svc/1",
                "status": "PRIMARY",
                "taskDefinition": self.service.task_definition,
                "rolloutState": state,
            }
        ]

    def _start(self, name: str, group: str) -> None:
        image = self._image(name)
        for _number in range(self.service.desired_count):
            number = next(self.aws.numbers)
            self.tasks.append(Task(self.service.name, name, image, group, f"10.61.{number // 250}.{number % 250}"))

    def _image(self, name: str) -> str:
        return str(self.aws.ecs.describe_task_definition(name).container_definitions[0]["image"])

    def _scale_up(self, one: Deployment) -> None:
        why = self.aws.image(self._image(one.target)).starts
        mine = [task for task in self.tasks if task.definition == one.target and task.group == one.groups[1]]
        if why:
            one.failures += 1
        elif not mine:
            self._start(one.target, one.groups[1])
        elif all(self.aws.healthy(task) for task in mine):
            self._weigh("test", one.groups, 100)
            one.stage = "POST_TEST_TRAFFIC_SHIFT"
        elif mine[0].age > self.aws.patience + 2:
            one.failures, why = BREAKS, "tasks failed ELB health checks"
        if one.failures >= BREAKS:
            self._back(one, f"ECS deployment circuit breaker: {why}")

    def _post_test_traffic_shift(self, one: Deployment) -> None:
        hooks = self.service.deployment_configuration.get("lifecycleHooks", [])
        pause = any(hook.get("targetType") == "PAUSE" and one.stage in hook["lifecycleStages"] for hook in hooks)
        if pause and not one.hook:
            one.hook = {"hookId": f"hook-{len(self.deployments)}", "targetType": "PAUSE", "status": "AWAITING_ACTION"}
        if not pause or one.hook.get("status") == "SUCCEEDED":
            one.stage, one.ticks = "PRODUCTION_TRAFFIC_SHIFT", 0

    def _production_traffic_shift(self, one: Deployment) -> None:
        if self._alarm(one):
            return
        settings = self.service.deployment_configuration
        first = int(settings.get("canaryConfiguration", {}).get("canaryPercent", 100))
        one.ticks += 1
        one.weight = 100 if settings["strategy"] == "BLUE_GREEN" or one.ticks > 5 else first
        self._weigh("production", one.groups, one.weight)
        if one.weight == 100:
            one.stage, one.ticks = "BAKE_TIME", 0

    def _bake_time(self, one: Deployment) -> None:
        one.ticks += 1
        if not self._alarm(one) and one.ticks > 5:
            one.stage = "CLEAN_UP"

    def _clean_up(self, one: Deployment) -> None:
        self.tasks = [task for task in self.tasks if task.definition == one.target and task.group == one.groups[1]]
        self.live, self.running, one.status = one.groups[1], one.target, "SUCCESSFUL"

    def _alarm(self, one: Deployment) -> bool:
        names = self.service.deployment_configuration.get("alarms", {}).get("alarmNames", [])
        one.rang = [name for name in names if self.alarms.get(name, ("OK",))[0] == "ALARM"]
        if one.rang:
            self._back(one, "CloudWatch alarm detected")
        return bool(one.rang)

    def _back(self, one: Deployment, why: str) -> None:
        one.reason, one.weight, one.status = why, 0, "ROLLBACK_SUCCESSFUL"
        for rule in ("production", "test"):
            self._weigh(rule, one.groups, 0)
        self.tasks = [task for task in self.tasks if task.group == one.groups[0]]
        self.service.task_definition = self.aws.ecs.describe_task_definition(one.source).arn

    def _weigh(self, rule: str, groups: tuple[str, str], share: int) -> None:
        targets = [{"TargetGroupArn": groups[0], "Weight": 100 - share}, {"TargetGroupArn": groups[1], "Weight": share}]
        self.rules[rule].actions = [
            SimpleNamespace(data={"Type": "forward", "ForwardConfig": {"TargetGroups": targets}})
        ]

    # -- what the API tells

    def revision(self, name: str) -> str:
        return f"{self.service.arn.replace(':service/', ':service-revision/')}/{name.replace(':', '-')}"

    def told(self, one: Deployment) -> dict[str, Any]:
        after = {
            "arn": self.revision(one.target),
            "requestedProductionTrafficWeight": float(one.weight),
            "requestedTestTrafficWeight": 100.0 if one.stage != "SCALE_UP" else 0.0,
        }
        before = {"arn": self.revision(one.source), "requestedProductionTrafficWeight": float(100 - one.weight)}
        told: dict[str, Any] = {
            "serviceDeploymentArn": one.arn, "serviceArn": self.service.arn, "createdAt": one.created,
            "targetServiceRevision": after, "sourceServiceRevisions": [before], "status": one.status,
            "lifecycleStage": one.stage,
            "deploymentConfiguration": copy.deepcopy(self.service.deployment_configuration),
            "alarms": {"status": "TRIGGERED" if one.rang else "MONITORING", "triggeredAlarmNames": one.rang},
        }  # fmt: skip
        if one.reason:
            told["statusReason"] = one.reason
            told["rollback"] = {"reason": one.reason, "serviceRevisionArn": self.revision(one.source)}
        if one.hook:
            told["lifecycleHookDetails"] = [dict(one.hook)]
        return told

    def answer(self, hook: str, action: str) -> None:
        newest = self.newest
        assert newest is not None and newest.hook.get("hookId") == hook
        newest.hook["status"] = "SUCCEEDED"
        if action == "ROLLBACK":
            newest.status, newest.reason = "ROLLBACK_REQUESTED", "a lifecycle hook asked for it"

    def stop(self, arn: str) -> None:
        found = next(one for one in self.deployments if one.arn == arn)
        if found.status == "IN_PROGRESS":
            found.status, found.reason = "ROLLBACK_REQUESTED", "somebody asked for it"
