# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The connection options that every Kubernetes module of this collection has."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import env_fallback


def connection_spec() -> dict[str, Any]:
    """The argument spec; `plugins/doc_fragments/kubernetes.py` documents it."""
    return {
        "kubeconfig": {"type": "path", "fallback": (env_fallback, ["K8S_AUTH_KUBECONFIG"])},
        "kubeconfig_data": {"type": "str", "no_log": True},
        "context": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_CONTEXT"])},
        "host": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_HOST"])},
        "token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["K8S_AUTH_API_KEY"])},
        "ca_path": {"type": "path", "fallback": (env_fallback, ["K8S_AUTH_SSL_CA_CERT"])},
        "client_cert": {"type": "path", "fallback": (env_fallback, ["K8S_AUTH_CERT_FILE"])},
        "client_key": {"type": "path", "no_log": False, "fallback": (env_fallback, ["K8S_AUTH_KEY_FILE"])},
        "validate_certs": {"type": "bool", "default": True, "fallback": (env_fallback, ["K8S_AUTH_VERIFY_SSL"])},
        "gke": {
            "type": "dict",
            "options": {
                "cluster": {"type": "str", "required": True},
                "project": {"type": "str", "required": True},
                "location": {"type": "str", "required": True},
                "credentials_file": {"type": "path"},
                "endpoint": {"type": "str"},
            },
        },
        "eks": {
            "type": "dict",
            "options": {
                "cluster": {"type": "str", "required": True},
                "region": {"type": "str", "required": True},
                "profile": {"type": "str"},
                "role_arn": {"type": "str"},
                "endpoint": {"type": "str"},
            },
        },
        "api_timeout": {"type": "float", "default": 60.0},
    }


def connection_rules() -> dict[str, Any]:
    return {
        "mutually_exclusive": [("kubeconfig", "kubeconfig_data", "gke", "eks"), ("kubeconfig_data", "host")],
        "required_by": {"token": ["host"]},
        "required_together": [("client_cert", "client_key")],
    }
