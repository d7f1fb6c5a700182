# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How every Kubernetes module of this collection reaches the API."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of `module_utils/_kubernetes/options.py`."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig, where the module runs. From E(K8S_AUTH_KUBECONFIG) when not set.
      - Without this and without O(kubeconfig_data), O(host), O(gke) and O(eks), the file of E(KUBECONFIG) is taken,
        else C(~/.kube/config), else the account of the pod that this runs in.
      - Certificates, tokens, passwords, login programs (exec, and so OIDC) and login providers are understood.
    type: path
  kubeconfig_data:
    description: A kubeconfig as YAML text, from a secrets backend for instance. It is never shown or written to a file.
    type: str
  context:
    description: The context of the kubeconfig. From E(K8S_AUTH_CONTEXT) when not set, else its current one.
    type: str
  host:
    description: Address of the API, as in V(https://api.example.org:6443). From E(K8S_AUTH_HOST) when not set.
    type: str
  token:
    description: A bearer token, beside O(host). From E(K8S_AUTH_API_KEY) when not set.
    type: str
  ca_path:
    description: File with the certificate authority to trust. From E(K8S_AUTH_SSL_CA_CERT) when not set.
    type: path
  client_cert:
    description: File with a client certificate, beside O(host). From E(K8S_AUTH_CERT_FILE) when not set.
    type: path
  client_key:
    description: File with the key of O(client_cert). From E(K8S_AUTH_KEY_FILE) when not set.
    type: path
  validate_certs:
    description: Whether the server's certificate must be valid. From E(K8S_AUTH_VERIFY_SSL) when not set.
    type: bool
    default: true
  gke:
    description:
      - A cluster of Google Kubernetes Engine, reached with Google's own login (library C(google-auth), no gcloud).
      - Without O(gke.credentials_file), the application default credentials are taken.
    type: dict
    suboptions:
      cluster:
        description: Name of the cluster.
        type: str
        required: true
      project:
        description: The project that it is in.
        type: str
        required: true
      location:
        description: Its region or zone.
        type: str
        required: true
      credentials_file:
        description: File of a service account or of workload identity federation.
        type: path
      endpoint:
        description:
          - Address of the cluster's API, with O(ca_path), where it is not the one that Google tells.
          - Google is not asked for the cluster then.
        type: str
  eks:
    description:
      - A cluster of Amazon EKS, logged in to with AWS credentials (library C(botocore), no aws command).
      - Credentials are looked for as every AWS tool does.
    type: dict
    suboptions:
      cluster:
        description: Name of the cluster.
        type: str
        required: true
      region:
        description: Its region.
        type: str
        required: true
      profile:
        description: Profile of the AWS configuration.
        type: str
      role_arn:
        description: A role to take on first.
        type: str
      endpoint:
        description:
          - Address of the cluster's API, with O(ca_path), where it is not the one that AWS tells.
          - AWS is not asked for the cluster then.
        type: str
  api_timeout:
    description: Seconds that one request may take.
    type: float
    default: 60.0
requirements:
  - urllib3
  - PyYAML, for kubeconfigs and files
  - kubernetes, for kubeconfigs with a login program or provider
  - google-auth and requests, for O(gke)
  - botocore, for O(eks)
"""
