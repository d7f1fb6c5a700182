# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What CloudWatch knows of a service: its alarms, and what users got from a target group."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._objects import AdapterError
from .amazon import Amazon
from .ecs_balancer import metric_name
from .ecs_tasks import moment
from .model import Rate


def ringing(amazon: Amazon, what: str, names: Sequence[str]) -> list[str]:
    """Those of the alarms that ring, with their reasons."""
    if not names:
        return []
    found = amazon.call("cloudwatch", "describe_alarms", f"alarms of {what}", AlarmNames=list(names))
    known = {one["AlarmName"]: one for one in [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]}
    missing = sorted(set(names) - set(known))
    if missing:
        raise AdapterError(f"{what}: there is no alarm {', '.join(missing)}", "correct alarms")
    return [
        name + (f": {one['StateReason']}" if one.get("StateReason") else "")
        for name, one in sorted(known.items())
        if one.get("StateValue") == "ALARM"
    ]


def alarms_of(found: Mapping[str, Any]) -> list[str]:
    """Those that a service's own deployments look at."""
    alarms = (found.get("deploymentConfiguration") or {}).get("alarms") or {}
    return [str(name) for name in alarms.get("alarmNames", [])]


def full_minute(since: str) -> float:
    """The first minute that is this release's alone: CloudWatch counts by the minute, for whoever had the group."""
    return math.ceil(moment(since) / 60) * 60


def rate_of(amazon: Amazon, what: str, balancer: str, group: str, since: str, seconds: float) -> Rate | None:
    """What users got from a target group in the last `seconds`; None before a full minute of this release."""
    end = time.time()
    start = max(end - seconds, full_minute(since))
    if start >= end:
        return None
    dimensions = [
        {"Name": "LoadBalancer", "Value": metric_name(balancer, "loadbalancer/")},
        {"Name": "TargetGroup", "Value": metric_name(group, "")},
    ]
    queries = [
        {
            "Id": key,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions},
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for key, name in (("answers", "RequestCount"), ("errors", "HTTPCode_Target_5XX_Count"))
    ]
    found = amazon.call(
        "cloudwatch", "get_metric_data", f"metrics of {what}", MetricDataQueries=queries,
        StartTime=start, EndTime=end + 1,
    )  # fmt: skip
    sums = {one["Id"]: int(sum(one["Values"])) for one in found["MetricDataResults"]}
    return Rate(sums.get("answers", 0), sums.get("errors", 0))
