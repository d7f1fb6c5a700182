# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of AWS that a release makes, answered from plain dictionaries: thousands of releases in a test's time.

`Aws` of `amazon` runs the tasks and the load balancer here as it does on moto; the same tests run on both.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from .amazon import ACCOUNT, REGION, Aws, now
from .images import Images
from .native import Native

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
ELB = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}"
BALANCER = f"{ELB}:loadbalancer/app/shop/0123456789abcdef"
LISTENER = f"{ELB}:listener/app/shop/0123456789abcdef/1"
RULES = {name: f"{ELB}:listener-rule/app/shop/0123456789abcdef/1/{name}" for name in ("production", "test")}
GROUPS = {colour: f"{ELB}:targetgroup/shop-web-{colour}/{colour}" for colour in ("blue", "green")}


ALARMS = {"alarmNames": ["slow"], "enable": True, "rollback": True}


class CodedError(Exception):
    """An error as botocore raises it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.response = {"Error": {"Code": code, "Message": message}}


@cache
def _model(api: str) -> Any:
    return botocore.session.get_session().get_service_model(api)


def _hold(value: dict[str, Any], shape: Any, what: str) -> None:
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), f"{what}: {report.generate_report()}"


@dataclass
class Tables:
    """Stands for moto's three backends at once."""

    services: dict[str, SimpleNamespace] = field(default_factory=dict)
    definitions: dict[str, SimpleNamespace] = field(default_factory=dict)
    load_balancers: dict[str, SimpleNamespace] = field(default_factory=dict)
    alarms: dict[str, tuple[str, str]] = field(default_factory=dict)
    metrics: list[tuple[str, str, float]] = field(default_factory=list)

    def describe_task_definition(self, name: str) -> SimpleNamespace:
        return self.definitions[name.rpartition("/")[2]]

    def put_metric_data(self, _namespace: str, data: list[dict[str, Any]]) -> None:
        for one in data:
            group = next(dimension["Value"] for dimension in one["Dimensions"] if dimension["Name"] == "TargetGroup")
            self.metrics.append((group, one["MetricName"], one["Value"]))

    def register(self, family: str, containers: list[dict[str, Any]], tags: list[dict[str, str]]) -> SimpleNamespace:
        name = f"{family}:{len(self.definitions) + 1}"
        made = SimpleNamespace(
            arn=f"{ARN}:task-definition/{name}", name=name, family=family, status="ACTIVE", registered=now(),
            container_definitions=copy.deepcopy(containers), tags={tag["key"]: tag["value"] for tag in tags},
        )  # fmt: skip
        self.definitions[name] = made
        return made

    def service(self, name: str, definition: str, count: int, balancers: list[dict[str, Any]]) -> SimpleNamespace:
        made = SimpleNamespace(
            name=name, arn=f"{ARN}:service/shop/{name}", status="ACTIVE", desired_count=count, events=[],
            deployments=[],
            running_count=0, pending_count=count, load_balancers=balancers,
            task_definition=self.describe_task_definition(definition).arn,
            deployment_configuration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
        )  # fmt: skip
        self.services[name] = made
        return made


class Calls:
    """`call` as the collection's own client of AWS has it."""

    def __init__(self, aws: Aws, tables: Tables) -> None:
        self.aws, self.tables = aws, tables

    def call(self, api: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Question and answer are held to AWS's own model of its APIs, which botocore ships."""
        model = _model(api).operation_model("".join(word.capitalize() for word in operation.split("_")))
        _hold(parameters, model.input_shape, operation)
        answer: dict[str, Any] = getattr(self, operation)(**parameters)
        _hold(answer, model.output_shape, operation)
        return answer

    # -- ECS

    def describe_services(self, cluster: str, services: list[str], include: list[str]) -> dict[str, Any]:
        self.aws.tick()
        found = [self._service(self.tables.services[name]) for name in services if name in self.tables.services]
        missing = [{"arn": name, "reason": "MISSING"} for name in services if name not in self.tables.services]
        return {"services": found, "failures": missing}

    @staticmethod
    def _service(one: SimpleNamespace) -> dict[str, Any]:
        return {
            "serviceName": one.name, "status": one.status, "taskDefinition": one.task_definition,
            "desiredCount": one.desired_count, "runningCount": one.running_count, "pendingCount": one.pending_count,
            "deployments": copy.deepcopy(one.deployments), "events": copy.deepcopy(one.events[:3]),
            "loadBalancers": copy.deepcopy(one.load_balancers), "launchType": "FARGATE",
            "deploymentConfiguration": copy.deepcopy(one.deployment_configuration), "serviceArn": one.arn,
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": ["sg-a"]}},
        }  # fmt: skip

    def create_service(
        self, cluster: str, serviceName: str, taskDefinition: str, desiredCount: int,
        loadBalancers: list[dict[str, Any]], **_more: Any,
    ) -> dict[str, Any]:  # fmt: skip
        if serviceName in self.tables.services:
            raise CodedError("InvalidParameterException", "Creation of service was not idempotent.")
        return {"service": self._service(self.tables.service(serviceName, taskDefinition, desiredCount, loadBalancers))}

    def update_service(self, cluster: str, service: str, **change: Any) -> dict[str, Any]:
        one = self.tables.services[service]
        one.deployment_configuration = change.get("deploymentConfiguration", one.deployment_configuration)
        native = self.aws.natives.get(service)
        if native is not None and "taskDefinition" in change:
            native.deploy(change["taskDefinition"])
        if "taskDefinition" in change:
            one.task_definition = self.tables.describe_task_definition(change["taskDefinition"]).arn
        one.desired_count = change.get("desiredCount", one.desired_count)
        return {"service": self._service(one)}

    def list_task_definitions(self, familyPrefix: str, sort: str, maxResults: int) -> dict[str, Any]:
        found = [one.arn for one in self.tables.definitions.values() if one.status == "ACTIVE"]
        return {"taskDefinitionArns": found[::-1][:maxResults]}

    def describe_task_definition(self, taskDefinition: str, include: list[str]) -> dict[str, Any]:
        one = self.tables.describe_task_definition(taskDefinition)
        told = {
            "taskDefinitionArn": one.arn, "family": one.family, "revision": int(one.name.rpartition(":")[2]),
            "status": one.status, "containerDefinitions": copy.deepcopy(one.container_definitions),
            "registeredAt": one.registered, "cpu": "256",
        }  # fmt: skip
        return {"taskDefinition": told, "tags": [{"key": key, "value": value} for key, value in one.tags.items()]}

    def register_task_definition(
        self, family: str, containerDefinitions: list[dict[str, Any]], tags: list[dict[str, str]], **_more: Any
    ) -> dict[str, Any]:
        made = self.tables.register(family, containerDefinitions, tags)
        return {"taskDefinition": {"taskDefinitionArn": made.arn}}

    def deregister_task_definition(self, taskDefinition: str) -> dict[str, Any]:
        self.tables.describe_task_definition(taskDefinition).status = "INACTIVE"
        return {}

    def tag_resource(self, resourceArn: str, tags: list[dict[str, str]]) -> dict[str, Any]:
        one = self.tables.describe_task_definition(resourceArn)
        one.tags.update({tag["key"]: tag["value"] for tag in tags})
        return {}

    # -- deployments that ECS moves itself

    def list_service_deployments(self, cluster: str, service: str) -> dict[str, Any]:
        self.aws.tick()
        native: Native = self.aws.natives[service]
        kept = ("serviceDeploymentArn", "serviceArn", "createdAt", "status")
        told = [native.told(one) for one in reversed(native.deployments)]
        return {"serviceDeployments": [{key: one[key] for key in kept} for one in told]}

    def describe_service_deployments(self, serviceDeploymentArns: list[str]) -> dict[str, Any]:
        natives: list[Native] = list(self.aws.natives.values())
        told = [native.told(one) for native in natives for one in native.deployments]
        return {"serviceDeployments": [one for one in told if one["serviceDeploymentArn"] in serviceDeploymentArns]}

    def describe_service_revisions(self, serviceRevisionArns: list[str]) -> dict[str, Any]:
        found = []
        for native in self.aws.natives.values():
            for name, definition in self.tables.definitions.items():
                if native.revision(name) in serviceRevisionArns:
                    newest = native.newest
                    groups = [newest.groups[1]] if newest is not None and newest.target == name else []
                    balancers = [{"targetGroupArn": group} for group in groups]
                    found.append(
                        {
                            "serviceRevisionArn": native.revision(name),
                            "taskDefinition": definition.arn,
                            "resolvedConfiguration": {"loadBalancers": balancers},
                        }
                    )
        return {"serviceRevisions": found}

    def continue_service_deployment(self, serviceDeploymentArn: str, hookId: str, action: str) -> dict[str, Any]:
        for native in self.aws.natives.values():
            native.answer(hookId, action)
        return {"serviceDeploymentArn": serviceDeploymentArn}

    def stop_service_deployment(self, serviceDeploymentArn: str, stopType: str) -> dict[str, Any]:
        for native in self.aws.natives.values():
            native.stop(serviceDeploymentArn)
        return {"serviceDeploymentArn": serviceDeploymentArn}

    # -- load balancer

    def describe_target_groups(self, TargetGroupArns: list[str]) -> dict[str, Any]:
        return {"TargetGroups": [{"TargetGroupArn": arn, "LoadBalancerArns": [BALANCER]} for arn in TargetGroupArns]}

    def describe_load_balancers(self, LoadBalancerArns: list[str]) -> dict[str, Any]:
        return {"LoadBalancers": [{"LoadBalancerArn": BALANCER, "DNSName": "shop.elb.example.org"}]}

    def describe_listeners(self, LoadBalancerArn: str) -> dict[str, Any]:
        return {"Listeners": [{"ListenerArn": LISTENER, "Protocol": "HTTP", "Port": 80}]}

    def _rules(self) -> dict[str, SimpleNamespace]:
        rules: dict[str, SimpleNamespace] = self.tables.load_balancers[BALANCER].listeners[LISTENER].rules
        return rules

    def describe_rules(self, RuleArns: list[str] | None = None, ListenerArn: str = "") -> dict[str, Any]:
        found = [
            {
                "RuleArn": arn, "Priority": str(rule.priority), "Conditions": copy.deepcopy(rule.conditions),
                "Actions": [copy.deepcopy(action.data) for action in rule.actions], "IsDefault": False,
            }
            for arn, rule in self._rules().items()
            if RuleArns is None or arn in RuleArns
        ]  # fmt: skip
        return {"Rules": found}

    def describe_tags(self, ResourceArns: list[str]) -> dict[str, Any]:
        names = {arn: f"shop-web-{arn.rpartition('/')[2]}" for arn in ResourceArns}
        return {
            "TagDescriptions": [
                {"ResourceArn": arn, "Tags": [{"Key": "Name", "Value": name}]} for arn, name in names.items()
            ]
        }

    def modify_rule(self, RuleArn: str, Actions: list[dict[str, Any]]) -> dict[str, Any]:
        self._rules()[RuleArn].actions = [SimpleNamespace(data=action) for action in Actions]
        return {}

    def describe_target_health(self, TargetGroupArn: str) -> dict[str, Any]:
        self.aws.tick()
        told = []
        for task in self.aws.tasks_of(TargetGroupArn):
            status = self.aws._status(task)
            health = {key: value for key, value in status.target_health.items() if value is not None}
            told.append({"Target": {"Id": task.address, "Port": 8000}, "TargetHealth": health})
        return {"TargetHealthDescriptions": told}

    # -- CloudWatch

    def get_metric_data(self, MetricDataQueries: list[dict[str, Any]], **_more: Any) -> dict[str, Any]:
        results = []
        for query in MetricDataQueries:
            metric = query["MetricStat"]["Metric"]
            group = next(one["Value"] for one in metric["Dimensions"] if one["Name"] == "TargetGroup")
            values = [value for of, name, value in self.tables.metrics if (of, name) == (group, metric["MetricName"])]
            results.append({"Id": query["Id"], "Values": values})
        return {"MetricDataResults": results}

    def describe_alarms(self, AlarmNames: list[str]) -> dict[str, Any]:
        alarms = self.tables.alarms
        return {
            "MetricAlarms": [
                {"AlarmName": name, "StateValue": alarms[name][0], "StateReason": alarms[name][1]}
                for name in AlarmNames
                if name in alarms
            ]
        }


def plain_site(
    images: Images, patience: int = 1, image: str = "app:v1", tasks: int = 2, strategy: str = ""
) -> tuple[Aws, Calls]:
    """The same site as `make_site` makes on moto."""
    tables = Tables()
    aws = Aws(images, patience, backends=(tables, tables, tables))
    weights = [{"TargetGroupArn": GROUPS["blue"], "Weight": 100}, {"TargetGroupArn": GROUPS["green"], "Weight": 0}]
    rules = {
        RULES[name]: SimpleNamespace(
            priority=priority,
            conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}],
            actions=[
                SimpleNamespace(data={"Type": "forward", "ForwardConfig": {"TargetGroups": copy.deepcopy(weights)}})
            ],
        )
        for name, path, priority in (("production", "/*", 20001), ("test", "/next/*", 1))
    }
    tables.load_balancers[BALANCER] = SimpleNamespace(listeners={LISTENER: SimpleNamespace(rules=rules)})
    made = tables.register("shop-web", [{"name": "web", "image": image}], [])
    attached = {"targetGroupArn": GROUPS["blue"], "containerName": "web", "containerPort": 8000}
    service = tables.service("web", made.arn, tasks, [attached])
    if strategy:
        service.deployment_configuration = {"strategy": strategy, "alarms": ALARMS}
        if strategy == "CANARY":
            service.deployment_configuration["canaryConfiguration"] = {"canaryPercent": 10}
        tables.alarms["slow"] = ("OK", "")
        by_name = {name: rules[arn] for name, arn in RULES.items()}
        aws.natives["web"] = Native(aws, service, by_name, (GROUPS["blue"], GROUPS["green"]), tables.alarms)
    for _moment in range(patience + 2):
        aws.tick()
    return aws, Calls(aws, tables)
