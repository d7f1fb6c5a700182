# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy.yml, promote.yml, status.yml and rollback.yml: one way for an app that is on two clouds of different kinds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from clouds.amazon import REGION, Aws, load_balancer, make_site, server
from clouds.cloud_run import CloudRun, make_service
from clouds.images import Images
from clouds.serving import cloud_run_served
from release_site import ROOT, Play, Users, kill


def inventory(google: str, amazon: str) -> dict[str, Any]:
    """What the inventory plugin makes of a manifest with these two clouds, as far as a release needs it."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    on_google = {
        "cloud_run_project": "shop",
        "cloud_run_region": "europe-west1",
        "cloud_run_services": {"web": {"health": "/healthz"}},
        "release_endpoint": google,
    }
    on_amazon = {
        "ecs_name": "shop",
        "ecs_region": REGION,
        "ecs_domain": "shop.example.org",
        "ecs_services": {"web": {"health": "/healthz", "slow_seconds": None}},
        "ecs_strategy": "ROLLING",
        "release_endpoint": amazon,
    }
    return {"clouds": {"hosts": {"google": {**here, **on_google}, "paris": {**here, **on_amazon}}}}


def test_one_way_for_every_cloud(tmp_path: Path) -> None:
    """Would catch a playbook that leaves a cloud out, a user's error on the way, or a status not the clouds'."""
    images = Images()
    images.add("app:v1")
    images.add("app:v2")
    run = CloudRun(images)
    make_service(run, "web", "app:v1")
    keys = {"AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": "lab", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    play = Play(tmp_path, keys)
    with cloud_run_served(run) as google, server() as amazon:
        aws = Aws(images, endpoint=amazon)
        make_site(aws)
        watch = aws.client("cloudwatch")
        watch.put_metric_alarm(
            AlarmName="shop-web-errors", Namespace="lab", MetricName="errors", Threshold=1, Period=60,
            EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold", Statistic="Sum",
        )  # fmt: skip
        with load_balancer(aws) as balancer, Users(f"{google}/web/") as first, Users(f"{balancer}/") as second:
            hosts = inventory(google, amazon)
            said = {"image": "app:v2", "version": "2.0.0", "by": "ada", "bake": 0.2, "steps": [10]}
            # The names of the load balancer lead nowhere here.
            hosts["clouds"]["hosts"]["paris"]["release"] = {**said, "url": f"{balancer}/next"}
            hosts["clouds"]["hosts"]["google"]["release"] = said
            (tmp_path / "hosts.yml").write_text(yaml.safe_dump(hosts))
            books = [str(ROOT / "playbooks" / f"{name}.yml") for name in ("deploy", "promote", "status", "rollback")]
            process = play.run_file(*books, "-i", "hosts.yml", "-e", "release_app=web")
            try:
                output, _unused = process.communicate(timeout=600)
            finally:
                kill(process)
        assert process.returncode == 0, output
        assert output.count('"version": "2.0.0"') >= 2 and output.count('"phase": "done"') >= 2, output
        for users in (first, second):
            assert users.images() == {"app:v1", "app:v2"} and not users.errors()
        assert aws.percents() == {"app:v1": 100}
        assert run.serve("web", "/") == (200, "app:v1")
