# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each thing that a single value cannot tell: one change to a good manifest, one error at its place."""

from __future__ import annotations

from typing import Any

import pytest

from .helpers import REMOVED, read, told

GKE = {"kind": "gke", "project": "cater-two", "region": "europe-west1"}
ERRORS: list[tuple[str, dict[str, Any], str, str]] = [
    ("nine control planes", {"machines.control.count": 9}, "machines.control.count", "slow etcd down"),
    (
        "a control plane that also works",
        {"kubernetes.workers": ["worker", "control"]},
        "kubernetes.workers",
        "'control' is the control plane",
    ),
    (
        "an arbiter beside three full copies",
        {"storage.glusterfs.arbiter": True},
        "storage.glusterfs.arbiter",
        "three full copies need no arbiter",
    ),
    ("an app of a team that is not there", {"apps.main.team": "opps"}, "apps.main.team", "did you mean ops?"),
    (
        "an approver that is not there",
        {"delivery.environments.production": {"on": "canada", "gate": "approval", "approvers": ["adda"]}},
        "delivery.environments.production.approvers[0]",
        "did you mean ada?",
    ),
    ("a pods network too big", {"kubernetes.pods": "32.0.0.0/7"}, "kubernetes.pods", "bigger than kubeadm takes"),
    (
        "a services network too small",
        {"kubernetes.services": "10.96.0.0/26"},
        "kubernetes.services",
        "not a size for Services",
    ),
    (
        "pods of GKE too few",
        {"clouds.canada.network": {"pods": "10.132.0.0/22"}},
        "clouds.canada.network.pods",
        "at least a /21",
    ),
    (
        "databases of Google too few",
        {"clouds.canada.network": {"private_services": "10.138.0.0/26"}},
        "clouds.canada.network.private_services",
        "at least a /24",
    ),
    (
        "a VPC too big",
        {"clouds.aws": {"kind": "eks", "region": "eu-west-1", "network": "172.24.0.0/14"}},
        "clouds.aws.network",
        "not a size for a VPC",
    ),
    (
        "a private network too big",
        {"clouds.k": {"kind": "kapsule", "region": "fr-par", "network": "172.24.0.0/16"}},
        "clouds.k.network",
        "not a size for a private network",
    ),
    (
        "a rack that is half the Internet",
        {"hypervisors.network.rack": "32.0.0.0/6"},
        "hypervisors.network.rack",
        "bigger than",
    ),
    (
        "a host name that is too long with its domain",
        {"machines." + "w" * 40: {}, "platform.domain": ".".join(["d" * 50] * 4) + ".example.org"},
        "machines." + "w" * 40,
        "longer than 253",
    ),
    (
        "an app and an environment too long together",
        {"apps." + "a" * 40: {}, "delivery.environments." + "e" * 30: {"on": "kubernetes", "source": "commit"}},
        "delivery.environments." + "e" * 30,
        "more than 63",
    ),
    ("a team of somebody unknown", {"teams.ops.people": ["adaa"]}, "teams.ops.people[0]", "did you mean ada?"),
    (
        "a group that would join a role's hypervisors",
        {"machines.hypervisors-compute": {}},
        "machines.hypervisors-compute",
        "a meaning of its own",
    ),
    (
        "a node called like the controller",
        {"hypervisors.nodes.localhost": {"address": "203.0.113.99"}},
        "hypervisors.nodes.localhost",
        "name of a group",
    ),
    (
        "approvers without a gate",
        {"delivery.environments.test.approvers": ["ops"]},
        "delivery.environments.test.approvers",
        "gate: approval",
    ),
    (
        "more approvals than people",
        {
            "delivery.environments.production": {
                "on": "canada",
                "gate": "approval",
                "approvers": ["ada"],
                "approvals": 2,
            }
        },
        "delivery.environments.production.approvals",
        "at most as many",
    ),
    ("a login without its role", {"secrets.auth": {"method": "jwt"}}, "secrets.auth", "needs role"),
    (
        "an option that a kind does not have",
        {"secrets.generate": {"x/key": {"kind": "key32", "length": 12}}},
        "secrets.generate.x/key.length",
        "its options: none",
    ),
    (
        "symbols without their class",
        {"secrets.generate": {"x/key": {"symbols": "!?"}}},
        "secrets.generate.x/key.symbols",
        "symbols among the classes",
    ),
    (
        "Spinnaker on a cluster that is not there",
        {"delivery.spinnaker": {"on": "canda"}},
        "delivery.spinnaker.on",
        "did you mean canada?",
    ),
    (
        "the chart of GitLab without a cluster",
        {
            "kubernetes": REMOVED,
            "clouds": {"run": {**GKE, "kind": "cloud_run", "database": {"postgres": "17"}}},
            "services": {},
            "delivery": {"gitlab": {"install": "chart"}, "sonarqube": {}},
        },
        "delivery.gitlab.install",
        "no cluster for the chart",
    ),
    (
        "SonarQube without a cluster",
        {"kubernetes": REMOVED, "clouds": {}, "services": {}, "delivery": {"sonarqube": {}}, "apps": {}},
        "delivery.sonarqube",
        "no cluster that could carry it",
    ),
    (
        "runners in pods without a cluster",
        {"kubernetes": REMOVED, "clouds": {}, "services": {}, "delivery": {"gitlab": {}, "runners": {}}, "apps": {}},
        "delivery.runners",
        "no cluster for the kubernetes executor",
    ),
    (
        "machines for runners in pods",
        {"delivery.runners": {"machines": "worker"}},
        "delivery.runners.machines",
        "executor: docker or shell",
    ),
    ("a cloud called like a cluster", {"clouds.swarm": GKE}, "clouds.swarm", "means something else"),
    ("a cloud joined with itself", {"clouds.canada.peers": ["canada"]}, "clouds.canada.peers[0]", "with itself"),
    (
        "a pool upside down",
        {"clouds.two": {**GKE, "mode": "standard", "pools": {"a": {"min": 4, "max": 2}}}},
        "clouds.two.pools.a.min",
        "at least 4, at most 2 nodes",
    ),
    (
        "Auto Mode with pools",
        {"clouds.aws": {"kind": "eks", "region": "eu-west-1", "pools": {"a": {}}}},
        "clouds.aws.pools",
        "mode: pools",
    ),
    (
        "a new project nobody pays for",
        {"clouds.canada.create_project": True},
        "clouds.canada.create_project",
        "billing",
    ),
    ("backups without a bucket", {"backups": {"to": "s3"}}, "backups.to", "need bucket"),
    (
        "a service without any cluster",
        {
            "kubernetes": REMOVED,
            "clouds": {"run": {**GKE, "kind": "cloud_run", "database": {"postgres": "17"}}},
            "services": {"ingress": {}},
            "delivery.environments": {"test": {}},
        },
        "services.ingress",
        "no cluster that could carry it",
    ),
    (
        "a DNS challenge for nobody's zone",
        {"services.certificates": {"email": "a@example.org", "challenge": "dns"}},
        "services.certificates.challenge",
        "dns_provider",
    ),
    (
        "a VIP where a machine would come",
        {"kubernetes.vip": "10.10.48.77"},
        "kubernetes.vip",
        "lies in the range 10.10.48.0-10.10.79.255 of machines.worker",
    ),
    (
        "another tool's word",
        {"delivery.environments.production.from": "test"},
        "delivery.environments.production.from",
        "did you mean source?",
    ),
    # addresses
    (
        "two nodes, one address",
        {"hypervisors.nodes.compute2.address": "203.0.113.11"},
        "hypervisors.nodes.compute2.address",
        "belongs to both compute1 and compute2",
    ),
    (
        "a node and a machine, one public address",
        {"machines.vpn.public_addresses": ["203.0.113.11"]},
        "machines.vpn.public_addresses",
        "compute1 and vpn-1",
    ),
    (
        "a server and a node, one address",
        {"servers": {"old": {"addresses": ["203.0.113.11"]}}},
        "servers.old.addresses",
        "compute1 and old-1",
    ),
    (
        "pinned ranges that meet",
        {"machines.worker.addresses": "10.10.7.0/24", "machines.gitlab.addresses": "10.10.7.2"},
        "machines.gitlab.addresses",
        "worker-2 and gitlab-1",
    ),
    ("pinned to the gateway", {"machines.gitlab.addresses": "10.10.0.1"}, "machines.gitlab.addresses", "the gateway"),
    (
        "pinned to the network's address",
        {"hypervisors.nodes.compute1.rack_address": "10.10.0.0"},
        "hypervisors.nodes.compute1.rack_address",
        "network address",
    ),
    (
        "pinned to the broadcast address",
        {"hypervisors.nodes.compute1.rack_address": "10.10.255.255"},
        "hypervisors.nodes.compute1.rack_address",
        "broadcast",
    ),
    (
        "a rack address outside of its network",
        {"hypervisors.nodes.compute1.rack_address": "10.11.0.4"},
        "hypervisors.nodes.compute1.rack_address",
        "outside of the rack network",
    ),
    (
        "a range outside of its network",
        {"machines.gitlab.addresses": ["10.10.7.1", "10.12.0.0/24"]},
        "machines.gitlab.addresses[1]",
        "outside of the rack network",
    ),
    (
        "a gateway outside of its network",
        {"hypervisors.network.gateway": "10.11.0.1"},
        "hypervisors.network.gateway",
        "outside of the rack network",
    ),
    (
        "a node's public address in the rack",
        {"hypervisors.nodes.compute1.address": "10.10.3.3"},
        "hypervisors.nodes.compute1.address",
        "did you mean rack_address: 10.10.3.3?",
    ),
    (
        "a pinned range too small",
        {"machines.worker.addresses": "10.10.7.1-10.10.7.3"},
        "machines.worker.addresses",
        "3 addresses for 4 machines",
    ),
    (
        "a rack too small to derive in",
        {"hypervisors.network.rack": "10.10.0.0/27"},
        "hypervisors.network.rack",
        "too small",
    ),
    (
        "more machines than the rack holds",
        {"hypervisors.network.rack": "10.10.0.0/24", "machines.worker.count": 300},
        "machines.worker",
        "room for 192 of 300",
    ),
    (
        "two groups that meet by growing",
        {"hypervisors.network.rack": "10.10.0.0/24", "machines.worker.count": 40},
        "machines.gluster",
        "pin the newer group: addresses: 10.10.0.",
    ),
    # VIP and pool
    ("a VIP outside of the rack", {"kubernetes.vip": "10.11.0.5"}, "kubernetes.vip", "outside of the rack network"),
    (
        "a VIP inside a machine's range",
        {"kubernetes.vip": "10.10.7.99", "machines.worker.addresses": "10.10.7.0/24"},
        "kubernetes.vip",
        "lies in the range 10.10.7.0/24 of machines.worker",
    ),
    (
        "a VIP that is a machine",
        {"kubernetes.vip": "10.10.48.2"},
        "kubernetes.vip",
        "lies in the range 10.10.48.0-10.10.79.255 of machines.worker",
    ),
    (
        "a VIP that is a machine of a group with an unusual name",
        {"machines.shop": {"count": 3}, "kubernetes.vip": "10.10.129.48"},
        "kubernetes.vip",
        "the VIP of Kubernetes and shop-2",
    ),
    ("a VIP that is a hypervisor", {"kubernetes.vip": "10.10.10.1"}, "kubernetes.vip", "compute1"),
    (
        "a range over the VIP that nobody stated",
        {"machines.vpn.addresses": "10.10.2.0/24"},
        "machines.vpn.addresses",
        "the VIP 10.10.2.1 lies in the range",
    ),
    (
        "a label that Google refuses",
        {"platform.labels": {"owner": "Ops"}},
        "platform.labels.owner",
        "did you mean ops?",
    ),
    (
        "a label of a cloud that Google refuses",
        {"clouds.canada.labels": {"owner": "ops@example.org"}},
        "clouds.canada.labels.owner",
        "Google Cloud refuses the label's value",
    ),
    ("a production called otherwise", {"delivery.environments.eu-prod2": {}}, "delivery.environments.eu-prod2", "gate"),
    ("a VIP that is the gateway", {"kubernetes.vip": "10.10.0.1"}, "kubernetes.vip", "the gateway"),
    ("a VIP inside the pool", {"kubernetes.vip": "10.10.241.1"}, "kubernetes.vip", "lies in the load balancer's pool"),
    (
        "a pool over machines",
        {"services.load_balancer": {"pool": "10.10.48.0/24"}},
        "machines.worker",
        "lies in the load balancer's pool",
    ),
    (
        "a pool outside of the rack",
        {"services.load_balancer": {"pool": "10.99.0.0/24"}},
        "services.load_balancer.pool",
        "outside of the rack network",
    ),
    # VM ids
    (
        "the same ids twice",
        {"machines.worker.ids": 5000, "machines.gitlab.ids": 5002},
        "machines.gitlab.ids",
        "5002 belongs to both worker-3 and gitlab-1",
    ),
    ("ids past the end", {"machines.worker.ids": 999999998}, "machines.worker.ids", "1000000000"),
    # networks
    (
        "pods over the rack",
        {"kubernetes.pods": "10.10.0.0/16"},
        "kubernetes.pods",
        "overlaps 10.10.0.0/16 (hypervisors.network.rack)",
    ),
    ("services over pods", {"kubernetes.services": "10.244.0.0/20"}, "kubernetes.services", "kubernetes.pods"),
    (
        "VPN over the rack",
        {"access.openvpn.network": "10.10.200.0/24"},
        "access.openvpn.network",
        "hypervisors.network.rack",
    ),
    (
        "a rack over the default pods",
        {"hypervisors.network.rack": "10.244.0.0/16"},
        "hypervisors.network.rack",
        "kubernetes.pods",
    ),
    (
        "a cloud's nodes over the rack",
        {"clouds.canada.network": {"nodes": "10.10.128.0/20"}},
        "clouds.canada.network.nodes",
        "hypervisors.network.rack",
    ),
    (
        "a cloud's pods over the VPN",
        {"clouds.canada.network": {"pods": "10.8.0.0/14"}},
        "clouds.canada.network.pods",
        "overlaps",
    ),
    (
        "a control plane's peering range over its nodes",
        {"clouds.canada.network": {"control_plane": "10.128.0.0/28"}},
        "clouds.canada.network.control_plane",
        "clouds.canada.network.nodes",
    ),
    (
        "a database's peering range over the pods",
        {"clouds.canada.network": {"private_services": "10.132.0.0/20"}},
        "clouds.canada.network.private_services",
        "clouds.canada.network.pods",
    ),
    (
        "two joined clouds with the same defaults",
        {"clouds.two": {**GKE, "peers": ["canada"]}},
        "clouds.two.network.nodes",
        "clouds.canada.network.nodes",
    ),
    (
        "two clouds told to be the same",
        {"clouds.aws": {"kind": "ecs", "region": "eu-west-3", "network": "10.128.0.0/16"}},
        "clouds.aws.network",
        "clouds.canada.network.nodes",
    ),
    (
        "a network that Google keeps",
        {"clouds.canada.network": {"nodes": "172.17.0.0/20"}},
        "clouds.canada.network.nodes",
        "keeps for itself",
    ),
    ("a loopback network", {"access.openvpn.network": "127.0.0.0/24"}, "access.openvpn.network", "loopback"),
    (
        "a peering range of the wrong size",
        {"clouds.canada.network": {"control_plane": "10.137.0.0/24"}},
        "clouds.canada.network.control_plane",
        "a /28",
    ),
    (
        "pods too few for the nodes",
        {"kubernetes.pods": "10.244.0.0/23"},
        "kubernetes.pods",
        "no /24 for each of 7 nodes",
    ),
    # placement
    ("an unknown hypervisor role", {"machines.worker.on": "compte"}, "machines.worker.on", "did you mean compute?"),
    (
        "an unknown node in a list",
        {"machines.gluster.on": ["storage", "storage9", "compute"]},
        "machines.gluster.on[1]",
        "did you mean storage",
    ),
    ("machines without hypervisors", {"hypervisors": REMOVED}, "machines", "no hypervisors"),
    ("an even control plane", {"machines.control.count": 2}, "machines.control.count", "did you mean 3?"),
    ("no control plane at all", {"machines.control.count": 0}, "machines.control.count", "1, 3, 5 or 7"),
    (
        "a control plane group that is not there",
        {"machines.control": REMOVED},
        "kubernetes",
        "'control' (the default of control_plane) does not exist",
    ),
    (
        "workers that are not there",
        {"kubernetes.workers": ["workers"]},
        "kubernetes.workers[0]",
        "did you mean worker?",
    ),
    (
        "fewer Gluster servers than copies",
        {"machines.gluster.count": 2},
        "machines.gluster.count",
        "2 Gluster servers for 3 copies",
    ),
    ("two copies and no arbiter", {"storage.glusterfs.replicas": 2}, "storage.glusterfs.replicas", "split brain"),
    (
        "two copies on one hypervisor",
        {"machines.gluster.on": ["storage1", "storage1", "compute"]},
        "machines.gluster.on",
        "lie on the same hypervisor",
    ),
    (
        "three copies on two hypervisors when there are four",
        {"machines.gluster.on": "storage"},
        "machines.gluster.on",
        "lie on the same hypervisor",
    ),
    (
        "a volume bigger than the bricks",
        {"storage.glusterfs.volumes.k8s.size": "600 GiB"},
        "storage.glusterfs.volumes.k8s.size",
        "more than the bricks hold",
    ),
    (
        "volumes bigger than the bricks together",
        {"storage.glusterfs.volumes.more": {"size": "400 GiB"}},
        "storage.glusterfs.volumes.more.size",
        "together",
    ),
    ("Gluster without a data disk", {"machines.gluster.data_disk": REMOVED}, "machines.gluster", "no data disk"),
    (
        "one machine bigger than any hypervisor",
        {"machines.gitlab.memory": "65 GiB"},
        "machines.gitlab.memory",
        "has 64",
    ),
    (
        "more memory than the hypervisors have",
        {"machines.worker.memory": "80 GiB"},
        "machines.worker",
        "of memory together",
    ),
    ("one machine with too many cores", {"machines.gitlab.cores": 17}, "machines.gitlab.cores", "has 16"),
    (
        "more cores than the hypervisors carry",
        {"machines.worker.count": 70, "machines.worker.memory": "1 GiB"},
        "machines.worker",
        "cores together",
    ),
    (
        "public addresses of machines that are not public",
        {"machines.vpn.public": False},
        "machines.vpn.public_addresses",
        "not public",
    ),
    (
        "too few public addresses",
        {"machines.vpn.count": 2},
        "machines.vpn.public_addresses",
        "1 public addresses for 2 machines",
    ),
    (
        "an opening on machines that are not there",
        {"access.open": {"git": {"port": 22, "machines": "gitlabb"}}},
        "access.open.git.machines",
        "did you mean gitlab?",
    ),
    # Kubernetes
    (
        "a version out of support",
        {"kubernetes.version": "1.34"},
        "kubernetes.version",
        "out of support since 2026-10-27",
    ),
    ("a version from the past", {"kubernetes.version": "1.20"}, "kubernetes.version", "out of support"),
    ("a version from the future", {"kubernetes.version": "1.40"}, "kubernetes.version", "newer than"),
    (
        "an upgrade that skips a minor",
        {"kubernetes.version": "1.37", "kubernetes.upgrade_from": "1.35.8"},
        "kubernetes.upgrade_from",
        'first version: "1.36"',
    ),
    ("a downgrade", {"kubernetes.upgrade_from": "1.37"}, "kubernetes.upgrade_from", "goes back"),
    ("nftables too early", {"kubernetes.proxy": "nftables"}, "kubernetes.proxy", "iptables, or version 1.37"),
    ("kms without a plugin", {"kubernetes.encryption": "kms"}, "kubernetes.encryption", "kms_endpoint"),
    (
        "a cloud's version out of support",
        {"clouds.eks": {"kind": "eks", "region": "eu-west-1", "version": "1.33"}},
        "clouds.eks.version",
        "out of support",
    ),
    # names
    ("a platform's name that DNS refuses", {"platform.name": "Cater_1"}, "platform.name", "found 'Cater_1'"),
    ("a platform's name that is too long", {"platform.name": "a" * 21}, "platform.name", "at most 20 characters"),
    (
        "a domain with an underscore",
        {"platform.domain": "ca_ter.example.org"},
        "platform.domain",
        "did you mean ca-ter.example.org?",
    ),
    ("a machine group with a capital", {"machines.Web": {}}, "machines.Web", "did you mean web?"),
    ("a machine group with an underscore", {"machines.web_front": {}}, "machines.web_front", "did you mean web-front?"),
    ("a host name longer than 63", {"machines." + "w" * 63: {}}, "machines." + "w" * 57, "at most 63, as DNS"),
    ("a group whose name has a meaning", {"machines.hypervisors": {}}, "machines.hypervisors", "a meaning of its own"),
    (
        "a cluster's name that Proxmox refuses",
        {"hypervisors.cluster": "a-name-of-16-chr"},
        "hypervisors.cluster",
        "at most 15",
    ),
    (
        "a node called like a group",
        {"hypervisors.nodes.worker": {"address": "203.0.113.99"}},
        "hypervisors.nodes.worker",
        "name of a group",
    ),
    (
        "a node called like a machine",
        {
            "hypervisors.nodes": {
                "vpn-1": {"address": "203.0.113.99", "role": "compute"},
                "storage1": {"address": "203.0.113.98", "role": "storage"},
            }
        },
        "hypervisors.nodes.vpn-1",
        "also machine 1 of the group vpn",
    ),
    (
        "servers and machines of one name",
        {"servers": {"worker": {"addresses": ["203.0.113.77"]}}},
        "servers.worker",
        "name of a machine group",
    ),
    ("a project id that Google refuses", {"clouds.canada.project": "Cater"}, "clouds.canada.project", "6 to 30"),
    (
        "a project id with a forbidden word",
        {"clouds.canada.project": "my-google-project"},
        "clouds.canada.project",
        "refuses 'google'",
    ),
    ("a GKE cluster's name that is too long", {"clouds." + "c" * 36: GKE}, "clouds." + "c" * 36, "at most 40"),
    (
        "a bucket's name that S3 refuses",
        {"terraform": {"state": {"kind": "s3", "bucket": "My_Bucket", "region": "x"}}},
        "terraform.state.bucket",
        "3 to 63",
    ),
    (
        "a bucket called like an address",
        {"terraform": {"state": {"kind": "gcs", "bucket": "192.168.1.1"}}},
        "terraform.state.bucket",
        "3 to 63",
    ),
    (
        "a target group that AWS refuses",
        {"clouds.aws": {"kind": "ecs", "region": "eu-west-3"}, "apps." + "x" * 30: {}},
        "apps." + "x" * 30,
        "32",
    ),
    (
        "a service that Cloud Run refuses",
        {"clouds.run": {**GKE, "kind": "cloud_run"}, "apps." + "x" * 50: {}},
        "apps." + "x" * 50,
        "49",
    ),
    (
        "a label that Kubernetes refuses",
        {"machines.worker.labels": {"-bad": "x"}},
        "machines.worker.labels.-bad",
        "refuses the label",
    ),
    (
        "a label's value that Kubernetes refuses",
        {"machines.worker.labels": {"disk": "so fast"}},
        "machines.worker.labels.disk",
        "label's value",
    ),
    (
        "a taint without an effect",
        {"machines.worker.taints": ["dedicated=search"]},
        "machines.worker.taints[0]",
        "key=value:NoSchedule",
    ),
    (
        "a taint with a wrong effect",
        {"machines.worker.taints": ["dedicated=search:NoShedule"]},
        "machines.worker.taints[0]",
        "did you mean NoSchedule?",
    ),
    (
        "a Pub/Sub topic that Google refuses",
        {"clouds.canada.pubsub": {"topics": {"google-news": {}}}},
        "clouds.canada.pubsub.topics.google-news",
        "3 to 255",
    ),
    (
        "an environment variable that cannot be one",
        {"apps.main.variables": {"MY-VAR": "x"}},
        "apps.main.variables.MY-VAR",
        "letters, digits and '_'",
    ),
    (
        "a person that is not there",
        {"access.openvpn.people": ["ada", "grase"]},
        "access.openvpn.people[1]",
        "did you mean grace?",
    ),
    ("a team that is not there", {"people.ada.teams": ["opps"]}, "people.ada.teams[0]", "did you mean ops?"),
    # delivery
    (
        "a promotion source that is not there",
        {"delivery.environments.production.source": "tset"},
        "delivery.environments.production.source",
        "did you mean test?",
    ),
    (
        "a promotion that goes in a circle",
        {"delivery.environments.test.source": "production", "delivery.environments.production.source": "test"},
        "delivery.environments.test.source",
        "test <- production <- test",
    ),
    (
        "an environment that is its own source",
        {"delivery.environments.test.source": "test"},
        "delivery.environments.test.source",
        "circle",
    ),
    (
        "production without a gate",
        {"delivery.environments.production.gate": REMOVED},
        "delivery.environments.production",
        "production without a gate",
    ),
    (
        "production by another name without a gate",
        {"delivery.environments.test.production": True},
        "delivery.environments.test",
        "production without a gate",
    ),
    (
        "approval by nobody",
        {"delivery.environments.production.gate": "approval"},
        "delivery.environments.production.gate",
        "nobody may approve",
    ),
    (
        "an environment on a cloud that is not there",
        {"delivery.environments.production.on": "canda"},
        "delivery.environments.production.on",
        "did you mean canada?",
    ),
    (
        "a service on a cluster that is not there",
        {"services.ingress.on": ["canda"]},
        "services.ingress.on[0]",
        "did you mean canada?",
    ),
    (
        "a service on a cloud without a cluster",
        {"clouds.run": {**GKE, "kind": "cloud_run"}, "services.ingress.on": "run"},
        "services.ingress.on",
        "has no cluster",
    ),
    (
        "an app's need that nobody meets",
        {"apps.main.needs": ["valkey"]},
        "apps.main.needs[0]",
        "no service provides valkey",
    ),
    (
        "an app's need not met where it runs",
        {"apps.main.needs": ["mongodb"]},
        "apps.main.needs[0]",
        "no service provides mongodb on canada, where production runs",
    ),
    (
        "an app in an environment that is not there",
        {"apps.main.environments": {"prodution": {}}},
        "apps.main.environments.prodution",
        "did you mean production?",
    ),
    (
        "an app's topic that is not there",
        {"clouds.canada.pubsub": {"topics": {"available": {}}}, "apps.main.listens": ["availabel"]},
        "apps.main.listens[0]",
        "did you mean available?",
    ),
    (
        "an app's topic without Pub/Sub",
        {"apps.main.listens": ["available"]},
        "apps.main.listens[0]",
        "no cloud has Pub/Sub",
    ),
    ("runners without GitLab", {"delivery.gitlab": REMOVED, "delivery.runners": {}}, "delivery.runners", "no GitLab"),
    ("runners without machines", {"delivery.runners": {"executor": "docker"}}, "delivery.runners", "needs machines"),
    (
        "more runners than machines",
        {"machines.runner": {"count": 2}, "delivery.runners": {"executor": "docker", "machines": "runner", "count": 3}},
        "delivery.runners.count",
        "3 runners for 2 machines",
    ),
    (
        "GitLab on machines that are not there",
        {"machines.gitlab": REMOVED},
        "delivery.gitlab",
        "'gitlab' (the default of machines) does not exist",
    ),
    (
        "an existing GitLab nobody knows",
        {"delivery.gitlab": {"install": "existing", "url": "https://gitlab.com"}},
        "delivery.gitlab",
        "needs token",
    ),
    ("backups that go nowhere", {"services.backup": {}}, "services.backup", "where backups go"),
    ("a scale upside down", {"apps.main.scale": {"min": 5, "max": 2}}, "apps.main.scale.min", "at least 5, at most 2"),
    # clouds
    (
        "a region of another cloud",
        {"clouds.canada.region": "eu-west-3"},
        "clouds.canada.region",
        "which Google Cloud does not have",
    ),
    (
        "a region misspelt",
        {"clouds.canada.region": "northamerica-northeast9"},
        "clouds.canada.region",
        "did you mean northamerica-northeast",
    ),
    (
        "a zone for a region",
        {"clouds.canada.region": "europe-west1-b"},
        "clouds.canada.region",
        "did you mean europe-west1? (that is a zone)",
    ),
    (
        "Kapsule where Scaleway has none",
        {"clouds.k": {"kind": "kapsule", "region": "fr-srr"}},
        "clouds.k.region",
        "Scaleway Kapsule does not have",
    ),
    ("a kind misspelt", {"clouds.canada.kind": "gcp"}, "clouds.canada.kind", "one of gke, cloud_run"),
    ("Autopilot with pools", {"clouds.canada.pools": {"a": {}}}, "clouds.canada.pools", "mode: standard"),
    ("a database without an engine", {"clouds.canada.database": {}}, "clouds.canada.database", "no engine is named"),
    (
        "a database version that is not offered",
        {"clouds.canada.database": {"postgres": "9.6"}},
        "clouds.canada.database.postgres",
        'did you mean "18"?',
    ),
    ("a peer that is not there", {"clouds.canada.peers": ["rakc"]}, "clouds.canada.peers[0]", "did you mean rack?"),
    ("state without its bucket", {"terraform": {"state": {"kind": "gcs"}}}, "terraform.state.kind", "needs bucket"),
    # secrets
    ("an address for the file backend", {"secrets.backend": "file"}, "secrets.address", "only the vault backend"),
    (
        "a secret that opens the secrets",
        {"secrets.auth": {"token": {"secret": "a/b"}}},
        "secrets.auth.token",
        "cannot be read from it",
    ),
    (
        "a control plane for everybody",
        {"clouds.canada.authorized_networks": {"all": "0.0.0.0/0"}},
        "clouds.canada.authorized_networks.all",
        "everybody",
    ),
]


def test_the_base_is_good():
    """If it were not, every case below would pass for a wrong reason."""
    result = read()
    assert result.errors == []
    assert result.warnings == []


@pytest.mark.parametrize(("changes", "path", "said"), [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS])
def test_error(changes: dict[str, Any], path: str, said: str):
    """The one thing that is wrong is found, at its path, with what was found and what would be right."""
    result = read(changes)
    at_path = [entry for entry in result.errors if entry.dotted().startswith(path)]
    assert at_path, [entry.lines("x") for entry in result.errors]
    assert any(said in entry.sentence() for entry in at_path), [entry.sentence() for entry in at_path]
    assert all(entry.line > 1 or entry.path == () for entry in at_path)
    assert len(result.errors) <= 4, [entry.lines("x") for entry in result.errors]


WARNINGS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "three copies on two hypervisors, when there are no more",
        {
            "hypervisors.nodes": {
                "compute1": {"address": "203.0.113.11", "role": "compute"},
                "storage1": {"address": "203.0.113.21", "role": "storage"},
            },
        },
        "machines.gluster.on",
        "at least three hypervisors",
    ),
    ("Vault without an address", {"secrets": {"backend": "vault"}}, "secrets.backend", "VAULT_ADDR"),
    (
        "a literal token",
        {
            "delivery.gitlab": {"install": "existing", "url": "https://gitlab.com", "token": "glpat-SeCrEt"},
            "machines.gitlab": REMOVED,
        },
        "delivery.gitlab.token",
        "bao kv put -mount=socle delivery/gitlab/token value=-",
    ),
    (
        "a literal in an app's secrets",
        {"apps.main.secrets": {"KEY": "SeCrEt"}},
        "apps.main.secrets.KEY",
        "{secret: apps/main/secrets/KEY#value}",
    ),
    (
        "a variable that is called a password",
        {"apps.main.variables": {"DB_PASSWORD": "SeCrEt"}},
        "apps.main.variables.DB_PASSWORD",
        "in clear",
    ),
    (
        "a password inside a URL",
        {"apps.main.repository": "https://bot:SeCrEt@git.example.org/a.git"},
        "apps.main.repository",
        "in clear",
    ),
    (
        "control planes on one hypervisor",
        {"machines.control.on": "compute1"},
        "machines.control.on",
        "on one hypervisor",
    ),
    ("a VPN that nobody reaches", {"machines.vpn": {"on": "compute"}}, "machines.vpn", "not public"),
    ("Secrets in clear", {"kubernetes.encryption": "none"}, "kubernetes.encryption", "in clear"),
    (
        "Gluster servers without use",
        {"machines.gluster.count": 4, "machines.gluster.on": ["storage1", "storage2", "compute1", "compute2"]},
        "machines.gluster.count",
        "multiple of 3",
    ),
]


@pytest.mark.parametrize(
    ("changes", "path", "said"), [case[1:] for case in WARNINGS], ids=[case[0] for case in WARNINGS]
)
def test_warning(changes: dict[str, Any], path: str, said: str):
    """Unwise is said, but refuses nothing; and a secret's value is never part of what is said."""
    result = read(changes)
    assert result.errors == []
    assert said in told(result, path), [entry.lines("x") for entry in result.warnings]
    assert "SeCrEt" not in str(result.warnings)


@pytest.mark.parametrize(
    "value",
    ["{{ lookup('env', 'TOKEN') }}", {"secret": "gitlab/api#token"}],
    ids=["Jinja", "reference"],
)
def test_a_secret_that_is_looked_up_is_no_literal(value: Any):
    """Warning about references would train people to ignore the warning."""
    changes = {
        "delivery.gitlab": {"install": "existing", "url": "https://gitlab.com", "token": value},
        "machines.gitlab": REMOVED,
    }
    result = read(changes)
    assert result.errors == []
    assert result.warnings == []


def test_a_vip_in_a_range_is_told_once():
    """The machine that happens to have the VIP is not told to move as well."""
    assert len(read({"kubernetes.vip": "10.10.48.2"}).errors) == 1


@pytest.mark.parametrize("name", ["pre-production", "preprod", "non-prod-eu", "product", "reproduction", "delivery"])
def test_what_only_sounds_like_production_needs_no_gate(name: str):
    """A word of the name decides, not letters in it; and what lies before production is not production."""
    assert read({f"delivery.environments.{name}": {"source": "test"}}).ok


def test_what_opens_the_backend_is_not_told_to_be_stored_in_it():
    """Who follows the advice of a warning must not get an error for it."""
    auth = {"method": "approle", "role_id": "x", "secret_id": "abc"}
    said = told(read({"secrets.auth": auth}), "secrets.auth.secret_id")
    assert "in clear" in said and "encrypt_string" in said and "bao" not in said and "{secret:" not in said
    assert read({"secrets.auth": {**auth, "secret_id": {"secret": "a#b"}}}).errors


def test_an_empty_required_key_is_told_once():
    """`name:` is not both empty and missing, and cannot be left out."""
    result = read({"platform.name": None})
    assert [entry.dotted() for entry in result.errors] == ["platform.name"]
    assert "leave" not in result.errors[0].sentence()


def test_a_template_for_a_number_is_called_a_template():
    """`count: "{{ n }}"` is not text by mistake."""
    assert "a template cannot stand here" in told(read({"machines.worker.count": "{{ n }}"}), "machines.worker.count")


def test_a_misspelt_count_is_not_also_too_few():
    """The default stands in for what was misspelt; nothing follows from it."""
    result = read({"machines.gluster": {"cuont": 3, "on": ["storage", "storage", "compute"], "data_disk": "1 TiB"}})
    assert [entry.dotted() for entry in result.errors] == ["machines.gluster.cuont"]


def test_a_misspelt_section_is_not_also_missing():
    """`hypervisor:` is told; that its machines have no hypervisors is not."""
    result = read({"hypervisor": {"cluster": "x"}, "hypervisors": REMOVED})
    assert [entry.dotted() for entry in result.errors] == ["hypervisor"]


@pytest.mark.parametrize("zone", ["Europe/Pariss", "../../etc/passwd", "Europe", "Europe/Paris/", "x" * 300])
def test_a_time_zone_that_nobody_knows(zone: str):
    """A misspelt zone would only be noticed on the machines; a strange one must not be opened as a file."""
    result = read({"platform.timezone": zone})
    assert result.ok and "no time zone" in told(result, "platform.timezone")
    assert read({"platform.timezone": "Europe/Paris"}).warnings == read().warnings


def test_true_for_a_service_tells_what_to_write():
    """`monitoring: true` is the first thing that people try."""
    assert "write {}" in told(read({"services.monitoring": True}), "services.monitoring")


def test_two_wrong_entries_of_a_list_hide_nothing_beside_it():
    """What stands beside a wrong list is checked further."""
    vpn = {"people": ["A!", "B!"], "network": "10.10.3.0/24"}
    assert "overlaps" in told(read({"access.openvpn": vpn}), "access.openvpn.network")


def test_two_groups_are_not_told_to_take_the_same_range():
    """Following the advice for both must not end in the next error."""
    changes = {f"machines.g{number}": {"addresses": "10.10.48.1"} for number in (1, 2)}
    hints = [entry.hint for entry in read(changes).errors]
    assert len(hints) == len(set(hints)) == 2


def test_a_million_machines_are_refused_at_once():
    """A count with three zeros too many must not keep the user waiting."""
    import time

    started = time.monotonic()
    result = read({"machines": {f"g{number}": {"count": 5000} for number in range(200)}})
    assert [entry.dotted() for entry in result.errors] == ["machines"]
    assert "1000000 machines" in result.errors[0].what
    assert time.monotonic() - started < 3


def test_all_errors_at_once():
    """Shape errors must not hide the cross checks of what is well-formed."""
    result = read(
        {
            "platform.domain": "no domain",
            "machines.worker.cores": "many",
            "machines.control.count": 2,
            "kubernetes.version": "1.20",
            "delivery.environments.production.gate": REMOVED,
            "clouds.canada.region": "mars",
            "clouds.canada.databse": {},
        }
    )
    found = {entry.dotted() for entry in result.errors}
    assert found == {
        "platform.domain",
        "machines.worker.cores",
        "machines.control.count",
        "kubernetes.version",
        "delivery.environments.production",
        "clouds.canada.region",
        "clouds.canada.databse",
    }
    places = [(entry.line, entry.column) for entry in result.errors]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"delivery.environments.production.gate": "manul"}, "delivery.environments.production.gate"),
        (
            {"delivery.environments.production": {"on": "canada", "gaet": "manual"}},
            "delivery.environments.production.gaet",
        ),
        ({"machines.gluster.count": "three"}, "machines.gluster.count"),
        ({"machines": None}, "machines"),
        ({"hypervisors.nodes.compute1.role": 5}, "hypervisors.nodes.compute1.role"),
        ({"hypervisors.nodes.storage1": "203.0.113.21"}, "hypervisors.nodes.storage1"),
        ({"clouds.canada.database.postgres": 17}, "clouds.canada.database.postgres"),
        ({"kubernetes.version": 1.36}, "kubernetes.version"),
        ({"secrets.backend": "valt"}, "secrets.backend"),
    ],
    ids=str,
)
def test_one_mistake_is_one_error(changes: dict[str, Any], path: str):
    """What follows from a mistake (no gate, no servers, no offer) is not told beside it."""
    result = read(changes)
    assert [entry.dotted() for entry in result.errors] == [path]
    assert result.warnings == []


def test_a_wrong_section_is_not_also_called_missing():
    """A typo in hypervisors must not bring 'there are no hypervisors' with it."""
    result = read({"hypervisors.cluster": REMOVED})
    assert [entry.dotted() for entry in result.errors] == ["hypervisors.cluster"]
    result = read({"clouds.canada.region": "mars"})
    assert [entry.dotted() for entry in result.errors] == ["clouds.canada.region"]


def test_the_manifest_and_the_secrets_engine_know_the_same_words():
    """What the manifest accepts must not be refused when the secret is made, and the other way round."""
    from ansible_collections.socle.platform.plugins.module_utils._secrets import config, kinds
    from ansible_collections.socle.platform.plugins.plugin_utils._manifest.checks.secrets import OPTIONS
    from ansible_collections.socle.platform.plugins.plugin_utils._manifest.sections_platform import (
        SecretsAuth,
        SecretsSection,
        WantedSecret,
    )

    assert {kind: set(options) for kind, options in OPTIONS.items()} == {
        kind: set(entry.options) for kind, entry in kinds.KINDS.items()
    }
    assert set(WantedSecret.model_fields) == {"kind", *kinds.OPTIONS}
    assert set(SecretsSection.model_fields) == config._COMMON | config._VAULT | config._FILE
    assert set(SecretsAuth.model_fields) == config._LOGIN


def test_a_minor_whose_support_has_ended_meanwhile(monkeypatch: pytest.MonkeyPatch):
    """The table is data; time goes on without it being edited."""
    import datetime

    from ansible_collections.socle.platform.plugins.plugin_utils._manifest import catalogue

    monkeypatch.setitem(catalogue.KUBERNETES_SUPPORT, "1.36", datetime.date(2020, 1, 1))
    result = read()
    assert result.errors == []
    assert "no fixes since 2020-01-01" in told(result, "kubernetes.version")
