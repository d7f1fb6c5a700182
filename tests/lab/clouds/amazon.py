# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""moto's ECS and load balancers with what they lack: tasks that start, get healthy or fail, and a way for requests."""

from __future__ import annotations

import fnmatch
import http.client
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

import boto3
from moto.backends import get_backend
from moto.elbv2.models import FakeHealthStatus

from .images import Image, Images
from .serving import served

ACCOUNT, REGION = "123456789012", "eu-west-3"
KEYS = {"aws_access_key_id": "lab", "aws_secret_access_key": "lab", "region_name": REGION}
# So many tasks in a row that fail end a deployment where the service's circuit breaker says so.
BREAKS = 3


@dataclass
class Task:
    service: str
    definition: str
    image: str
    group: str
    address: str
    age: int = 0


@dataclass
class Runtime:
    """What one service's deployment is at."""

    tasks: list[Task] = field(default_factory=list)
    definition: str = ""
    failures: int = 0
    failed: str = ""
    stable: str = ""


class Aws:
    """One account and region. `patience` is how many looks a task takes to get healthy."""

    def __init__(
        self, images: Images, patience: int = 1, endpoint: str = "", backends: tuple[Any, Any, Any] | None = None
    ) -> None:
        self.images, self.patience, self.endpoint = images, patience, endpoint
        self.lock = threading.RLock()
        self.runtimes: dict[str, Runtime] = {}
        self.numbers = itertools.count(10)
        self.requests = 0
        # Services that ECS moves itself: `native` steps them.
        self.natives: dict[str, Any] = {}
        self.counted: dict[str, list[int]] = {}
        self.before: Callable[[], None] = lambda: None
        if backends is None:
            backends = tuple(
                get_backend(name)[ACCOUNT][REGION]  # type: ignore[call-overload] # a literal for each
                for name in ("ecs", "elbv2", "cloudwatch")
            )
            self.ecs, self.elb, self.watch = backends
            self._extend()
        else:
            self.ecs, self.elb, self.watch = backends

    def client(self, api: str) -> Any:
        return boto3.client(api, endpoint_url=self.endpoint or None, **KEYS)  # type: ignore[call-overload] # as above

    # -- what moto lacks

    def _extend(self) -> None:
        """Only this account's backends are changed: moto makes new ones for the next test."""
        describe, listed = self.ecs.describe_services, self.ecs.list_task_definitions

        def describe_services(*args: Any, **named: Any) -> Any:
            with self.lock:
                self.tick()
                return describe(*args, **named)

        def newest_first(*args: Any, **named: Any) -> Any:
            return sorted(listed(*args, **named), key=lambda arn: int(arn.rpartition(":")[2]), reverse=True)

        def target_health(target_group_arn: str, targets: Any) -> list[FakeHealthStatus]:
            with self.lock:
                self.tick()
                return [self._status(task) for task in self.tasks_of(target_group_arn)]

        created = self.ecs.create_service

        def create_service(*args: Any, **named: Any) -> Any:
            service = created(*args, **named)
            # moto takes no deploymentConfiguration; what this collection makes has a breaker without a roll-back.
            service.deployment_configuration = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
            return service

        self.ecs.create_service = create_service
        self.ecs.describe_services = describe_services
        self.ecs.list_task_definitions = newest_first
        self.elb.describe_target_health = target_health

    def _status(self, task: Task) -> FakeHealthStatus:
        port = "8000"
        if self.healthy(task):
            return FakeHealthStatus(task.address, port, port, "healthy")
        if task.age < self.patience:
            return FakeHealthStatus(
                task.address, port, port, "initial", "Elb.InitialHealthChecking", "Health checks are in progress"
            )
        code = self.image(task.image).health
        said = f"Health checks failed with these codes: [{code}]"
        return FakeHealthStatus(task.address, port, port, "unhealthy", "Target.ResponseCodeMismatch", said)

    def image(self, name: str) -> Image:
        return self.images.known.get(name, Image(starts=f"CannotPullContainerError: {name}: not found"))

    def healthy(self, task: Task) -> bool:
        return task.age >= self.patience and self.image(task.image).health < 400

    def tasks_of(self, group: str) -> list[Task]:
        rooms = [*self.runtimes.values(), *self.natives.values()]
        return [task for room in rooms for task in room.tasks if task.group == group]

    # -- tasks

    def tick(self) -> None:
        """A moment passes: every service comes one step nearer to what it shall be."""
        self._count()
        for service in list(self.ecs.services.values()):
            if service.name in self.natives:
                self.natives[service.name].step()
            elif service.status == "ACTIVE":
                self._step(service, self.runtimes.setdefault(service.arn, Runtime()))

    def _step(self, service: Any, runtime: Runtime) -> None:
        definition = self.ecs.describe_task_definition(service.task_definition)
        name = definition.arn.rpartition("/")[2]
        service.task_definition = definition.arn
        if runtime.definition != name:
            runtime.definition, runtime.failures, runtime.failed = name, 0, ""
        image = definition.container_definitions[0]["image"]
        for task in runtime.tasks:
            task.age += 1
        mine = [task for task in runtime.tasks if task.definition == name]
        if len(mine) < service.desired_count and not runtime.failed:
            mine += self._start(service, runtime, name, image, service.desired_count - len(mine))
        mine = self._replace_sick(service, runtime, mine)
        good = [task for task in mine if self.healthy(task)]
        kept = mine[: service.desired_count]
        if len(good) >= service.desired_count:
            runtime.tasks, runtime.stable = kept, name
        else:
            runtime.tasks = kept + [task for task in runtime.tasks if task.definition != name]
        self._tell(service, runtime, len(good) >= service.desired_count)

    def _start(self, service: Any, runtime: Runtime, name: str, image: str, count: int) -> list[Task]:
        why = self.image(image).starts
        if why:
            self._failed(service, runtime, why)
            return []
        group = service.load_balancers[0]["targetGroupArn"] if service.load_balancers else ""
        made = []
        for _number in range(count):
            number = next(self.numbers)
            made.append(Task(service.name, name, image, group, f"10.60.{number // 250}.{number % 250}"))
        runtime.tasks += made
        return made

    def _replace_sick(self, service: Any, runtime: Runtime, mine: list[Task]) -> list[Task]:
        sick = [task for task in mine if task.age > self.patience + 2 and not self.healthy(task)]
        for task in sick:
            self._failed(service, runtime, f"(task {task.address}) failed ELB health checks")
        return [task for task in mine if task not in sick]

    def _failed(self, service: Any, runtime: Runtime, why: str) -> None:
        runtime.failures += 1
        breaker = (getattr(service, "deployment_configuration", None) or {}).get("deploymentCircuitBreaker", {})
        service.events.insert(0, {"id": "1", "createdAt": now(), "message": f"(service {service.name}) {why}"})
        if runtime.failures >= BREAKS and breaker.get("enable"):
            runtime.failed = f"ECS deployment circuit breaker: {why}"
            if breaker.get("rollback") and runtime.stable:
                service.task_definition = runtime.stable

    def _tell(self, service: Any, runtime: Runtime, whole: bool) -> None:
        mine = [task for task in runtime.tasks if task.definition == runtime.definition]
        state = "FAILED" if runtime.failed else "COMPLETED" if whole else "IN_PROGRESS"
        primary = {
            "id": f"ecs-svc/{runtime.definition}", "status": "PRIMARY", "taskDefinition": service.task_definition,
            "desiredCount": service.desired_count, "runningCount": len(mine),
            "pendingCount": max(0, service.desired_count - len(mine)), "rolloutState": state,
            "rolloutStateReason": runtime.failed or f"ECS deployment {state.lower()}.",
            "createdAt": now(), "updatedAt": now(),
        }  # fmt: skip
        others = [task for task in runtime.tasks if task.definition != runtime.definition]
        active = {**primary, "id": "ecs-svc/old", "status": "ACTIVE", "runningCount": len(others)}
        service.deployments = [primary, active] if others else [primary]
        service.running_count, service.pending_count = len(runtime.tasks), primary["pendingCount"]

    # -- users

    def serve(self, path: str) -> tuple[int, str]:
        """A request to the load balancer's first listener."""
        with self.lock:
            rule, pattern = self._rule(path)
            if rule is None:
                return 404, "There is nothing here."
            users = pattern == "/*"
            group = self._group(rule)
            tasks = self.tasks_of(group)
            # With nobody healthy a load balancer asks whoever is there.
            able = [task for task in tasks if self.healthy(task)] or tasks
            if not able:
                self._note(group, 503, users)
                return 503, "Service Temporarily Unavailable"
            task = able[self.requests % len(able)]
        if not users:
            path = "/" + path.removeprefix(pattern.rstrip("*")).lstrip("/")
        status, text = self.images.answer(task.service, task.definition, task.image, users=users, path=path)
        with self.lock:
            self._note(group, status, users)
        return status, text

    def _rule(self, path: str) -> tuple[Any, str]:
        balancer = next(iter(self.elb.load_balancers.values()))
        listener = next(iter(balancer.listeners.values()))
        rules = [rule for rule in listener.rules.values() if not getattr(rule, "is_default", False)]
        for rule in sorted(rules, key=lambda one: int(one.priority)):
            for condition in rule.conditions:
                patterns = condition.get("PathPatternConfig", {}).get("Values") or condition.get("Values") or []
                for pattern in patterns:
                    if fnmatch.fnmatchcase(path, pattern):
                        return rule, pattern
        return None, ""

    def _group(self, rule: Any) -> str:
        groups = rule.actions[0].data["ForwardConfig"]["TargetGroups"]
        whole = sum(int(group["Weight"]) for group in groups)
        # 37 and 100 have no common divisor: every hundred requests meet each place once.
        place = self.requests * 37 % max(1, whole)
        self.requests += 1
        for group in groups:
            place -= int(group["Weight"])
            if place < 0:
                return str(group["TargetGroupArn"])
        return str(groups[0]["TargetGroupArn"])

    def _note(self, group: str, status: int, users: bool) -> None:
        if users:
            counts = self.counted.setdefault(group, [0, 0])
            counts[0] += 1
            counts[1] += status >= 500

    def _count(self) -> None:
        counted, self.counted = self.counted, {}
        balancer = next(iter(self.elb.load_balancers), "")
        for group, (answers, errors) in counted.items():
            dimensions = [
                {"Name": "LoadBalancer", "Value": balancer.partition("loadbalancer/")[2]},
                {"Name": "TargetGroup", "Value": group.rpartition(":")[2]},
            ]
            values = [("RequestCount", answers), ("HTTPCode_Target_5XX_Count", errors)]
            data = [
                {"MetricName": name, "Dimensions": dimensions, "Value": value, "Timestamp": now()}
                for name, value in values
                if value
            ]
            self.watch.put_metric_data("AWS/ApplicationELB", data)

    def percents(self) -> dict[str, int]:
        """Who has how many users, by image, as the load balancer itself does it."""
        rule, _pattern = self._rule("/")
        found: dict[str, int] = {}
        for group in rule.actions[0].data["ForwardConfig"]["TargetGroups"]:
            if int(group["Weight"]):
                images = {task.image for task in self.tasks_of(group["TargetGroupArn"])}
                found[" and ".join(sorted(images)) or "nobody"] = int(group["Weight"])
        return found


def now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def make_site(aws: Aws, image: str = "app:v1", tasks: int = 2) -> dict[str, str]:
    """A service `web` as the role ecs makes it: two target groups, a rule for users and one for `/next/*`."""
    ec2, elb, ecs = (aws.client(api) for api in ("ec2", "elbv2", "ecs"))
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.60.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    guard = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    balancer = elb.create_load_balancer(Name="shop", Subnets=subnets, SecurityGroups=[guard])["LoadBalancers"][0]
    groups = {
        colour: elb.create_target_group(
            Name=f"shop-web-{colour}",
            Protocol="HTTP",
            Port=8000,
            VpcId=vpc,
            TargetType="ip",
            HealthCheckPath="/healthz",
        )["TargetGroups"][0]["TargetGroupArn"]
        for colour in ("blue", "green")
    }
    nothing = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[nothing]
    )["Listeners"][0]["ListenerArn"]
    weights = [{"TargetGroupArn": groups["blue"], "Weight": 100}, {"TargetGroupArn": groups["green"], "Weight": 0}]
    rules = {}
    for name, path, priority in (("production", "/*", 20001), ("test", "/next/*", 1)):
        rules[name] = elb.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}],
            Tags=[{"Key": "Name", "Value": f"shop-web-{name}"}],
        )["Rules"][0]["RuleArn"]
    ecs.create_cluster(clusterName="shop")
    container = {"name": "web", "image": image, "portMappings": [{"containerPort": 8000}], "memory": 256}
    ecs.register_task_definition(
        family="shop-web", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[container],
    )  # fmt: skip
    ecs.create_service(
        cluster="shop", serviceName="web", taskDefinition="shop-web", desiredCount=tasks, launchType="FARGATE",
        loadBalancers=[{"targetGroupArn": groups["blue"], "containerName": "web", "containerPort": 8000}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [guard]}},
    )  # fmt: skip
    for _moment in range(aws.patience + 2):
        aws.tick()
    return {**groups, **rules, "listener": listener, "dns": balancer["DNSName"]}


@contextmanager
def server() -> Iterator[str]:
    """moto behind HTTP, in this process; gives its address."""
    from moto.server import ThreadedMotoServer

    made = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    try:
        host, port = made.get_host_and_port()
        # Whatever was made in this process before is still there.
        connection = http.client.HTTPConnection(host, port, timeout=30)
        connection.request("POST", "/moto-api/reset")
        assert connection.getresponse().status == 200
        connection.close()
        yield f"http://{host}:{port}"
    finally:
        made.stop()


@contextmanager
def load_balancer(aws: Aws) -> Iterator[str]:
    """The load balancer's first listener; gives its address."""

    def route(_method: str, target: str, _query: dict[str, str], _body: bytes) -> tuple[int, bytes, str]:
        status, text = aws.serve(urlsplit(target).path)
        return status, text.encode(), "text/plain"

    with served(route) as base:
        yield base
