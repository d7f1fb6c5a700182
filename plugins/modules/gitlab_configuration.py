#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gitlab_configuration
short_description: Keeps groups and projects of GitLab, and all that belongs to them
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Groups, projects, members, protected branches and tags, environments with those who may deploy and approve, freeze
    periods, push rules, CI variables, webhooks, deploy keys, deploy tokens and runners, for a whole set in one task.
  - What is left out is neither compared nor changed. Deletions happen only where O(prune) or C(state=absent) asks.
  - Tokens that GitLab tells once (runners, deploy tokens) are kept in the secrets backend, and found again there.
  - Who may do something is written as a role (V(nobody), V(developers), V(maintainers), V(admins)), V(user:NAME) or
    V(group:PATH). V(developers) includes maintainers, as in GitLab. Users, groups and several roles need Premium.
  - Features that the server lacks are said before anything is written.
options:
  groups:
    description: The groups.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The whole path, as in V(cater/teams).
        type: str
        required: true
      name:
        description: What it is called. The last part of the path when it is made and nothing is said.
        type: str
      description:
        description: What it is for.
        type: str
      visibility:
        description: Who may see it.
        type: str
        choices: [private, internal, public]
      settings:
        description:
          - Further attributes by the API's own names, such as C(project_creation_level).
          - One that the server does not know is refused; the API itself would ignore it.
        type: dict
      members: &members
        description: Its direct members.
        type: list
        elements: dict
        suboptions:
          user:
            description: The user's name.
            type: str
            required: true
          access:
            description: The role.
            type: str
            choices: [minimal, guest, planner, reporter, developer, maintainer, owner]
            default: developer
          expires:
            description: The day on which the membership ends, as in V(2026-12-31). An empty text means never.
            type: str
          state: &state
            description: Whether it is there.
            type: str
            choices: [present, absent]
            default: present
      variables: &variables
        description: CI variables. Key and scope together tell them apart.
        type: list
        elements: dict
        suboptions:
          key:
            description: The name.
            type: str
            required: true
          scope:
            description: The environments that get it, as in V(production) or V(review/*). In groups this needs Premium.
            type: str
            default: "*"
          value:
            description: The value, a secret. Never shown, and blanked wherever it stands in what this task says.
            type: str
          text:
            description: The value, when it is no secret. Shown in differences.
            type: str
          protected:
            description: Whether only protected branches and tags get it.
            type: bool
          masked:
            description: Whether job logs hide it. Such a value has 8 characters or more, in one line.
            type: bool
          hidden:
            description:
              - Whether nobody can read it in GitLab, either. It is masked, too. It is so from the beginning, or never.
              - So that a change is seen nevertheless, a slow salted digest of the value is kept in the description.
            type: bool
          raw:
            description: Whether C($) in it means nothing.
            type: bool
          file:
            description: Whether jobs get a file with the value instead.
            type: bool
          description:
            description: What it is for.
            type: str
          state: *state
      hooks: &hooks
        description: Webhooks, known by their URL. Those of groups need Premium.
        type: list
        elements: dict
        suboptions:
          url:
            description: Where events are sent.
            type: str
            required: true
          name:
            description: What it is called.
            type: str
          description:
            description: What it is for.
            type: str
          events:
            description: Which events; all others are off.
            type: list
            elements: str
            choices:
              - push
              - tag_push
              - merge_requests
              - issues
              - confidential_issues
              - note
              - confidential_note
              - pipeline
              - wiki_page
              - deployment
              - feature_flag
              - job
              - releases
              - milestone
              - emoji
              - resource_access_token
            default: [push]
          branches:
            description: A pattern of the branches whose pushes are sent.
            type: str
          verify:
            description: Whether the receiver's certificate must be valid.
            type: bool
            default: true
          token:
            description: The secret that is sent along. GitLab never tells it; it is compared like a hidden variable.
            type: str
          state: *state
      push_rule: &push_rule
        description: What a push must look like. Needs Premium.
        type: dict
        suboptions:
          commit_message:
            description: A regular expression that messages match.
            type: str
          commit_message_not:
            description: A regular expression that no message matches.
            type: str
          branch_name:
            description: A regular expression that names of branches match.
            type: str
          author_email:
            description: A regular expression that authors' addresses match.
            type: str
          file_name_not:
            description: A regular expression that no file's name matches.
            type: str
          max_file_size:
            description: In MB; 0 for any.
            type: int
          deny_delete_tag:
            description: Whether tags stay.
            type: bool
          member_check:
            description: Whether authors are users of GitLab.
            type: bool
          prevent_secrets:
            description: Whether files that look like secrets are refused.
            type: bool
          commit_committer_check:
            description: Whether people push their own commits only.
            type: bool
          reject_unsigned_commits:
            description: Whether commits are signed.
            type: bool
          reject_non_dco_commits:
            description: Whether commits are signed off.
            type: bool
          state: *state
      deploy_tokens: &deploy_tokens
        description: Deploy tokens, known by their name among the active ones.
        type: list
        elements: dict
        suboptions:
          name:
            description: The name.
            type: str
            required: true
          scopes:
            description: What it may do.
            type: list
            elements: str
            choices:
              - read_repository
              - read_registry
              - write_registry
              - read_package_registry
              - write_package_registry
              - read_virtual_registry
              - write_virtual_registry
            default: [read_repository]
          expires:
            description: Its last day, as in V(2027-01-31).
            type: str
          username:
            description: The user name that goes with it. GitLab makes one up when not said.
            type: str
          keep: &keep
            description:
              - The path in the secrets backend under which C(token) and C(id) are kept.
              - C(gitlab/PATH/runners/NAME) or C(gitlab/PATH/deploy_tokens/NAME) when not said.
            type: str
          state: *state
      runners: &runners
        description: Its runners, known by their description.
        type: list
        elements: dict
        suboptions: &runner
          name:
            description: The description.
            type: str
            required: true
          tags:
            description: Its tags, all of them.
            type: list
            elements: str
          run_untagged:
            description: Whether it takes jobs without tags.
            type: bool
          locked:
            description: Whether it stays with this project.
            type: bool
          protected:
            description: Whether it takes jobs of protected branches and tags only.
            type: bool
          paused:
            description: Whether it rests.
            type: bool
          maximum_timeout:
            description: Seconds that a job may take, 600 or more.
            type: int
          note:
            description: A note for those who look after it.
            type: str
          keep: *keep
          state: *state
      state: &removed
        description: Whether it is there. One that goes is marked for deletion; GitLab deletes it after its own delay.
        type: str
        choices: [present, absent]
        default: present
  projects:
    description: The projects.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The whole path, as in V(cater/shop).
        type: str
        required: true
      name:
        description: What it is called. The last part of the path when it is made and nothing is said.
        type: str
      description:
        description: What it is for.
        type: str
      visibility:
        description: Who may see it.
        type: str
        choices: [private, internal, public]
      default_branch:
        description: The default branch. A project that is made with it gets a first commit, so that it exists.
        type: str
      topics:
        description: Its topics, all of them.
        type: list
        elements: str
      archived:
        description: Whether it can only be read.
        type: bool
      settings:
        description:
          - Further attributes by the API's own names, such as C(merge_method).
          - One that the server does not know is refused; the API itself would ignore it.
        type: dict
      members: *members
      protected_branches:
        description: Protected branches.
        type: list
        elements: dict
        suboptions:
          name:
            description: The branch, or a pattern such as V(release/*).
            type: str
            required: true
          push:
            description: Who may push.
            type: list
            elements: str
          merge:
            description: Who may merge.
            type: list
            elements: str
          unprotect:
            description: Who may remove the protection. Needs Premium.
            type: list
            elements: str
          force_push:
            description: Whether those who push may rewrite it.
            type: bool
          code_owner_approval:
            description: Whether owners of changed code approve. Needs Premium.
            type: bool
          state: *state
      protected_tags:
        description: Protected tags. The API cannot change one, so it is removed and made again at once.
        type: list
        elements: dict
        suboptions:
          name:
            description: The tag, or a pattern such as V(v*).
            type: str
            required: true
          create:
            description: Who may make it.
            type: list
            elements: str
          state: *state
      environments:
        description: Environments.
        type: list
        elements: dict
        suboptions:
          name:
            description: The name. It cannot be changed later.
            type: str
            required: true
          tier:
            description: What it is. GitLab guesses it from the name when not said.
            type: str
            choices: [production, staging, testing, development, other]
          url:
            description: Where it is reached.
            type: str
          description:
            description: What it is for.
            type: str
          deploy:
            description:
              - Who may deploy to it, of V(developers), V(maintainers), V(admins), users and groups. Needs Premium.
              - V(maintainers) when only O(projects[].environments[].approvals) is given.
            type: list
            elements: str
          approvals:
            description: Who approves a deployment before it can run, and how many of them. Needs Premium.
            type: dict
          state: *state
      freeze_periods:
        description: When nothing is deployed.
        type: list
        elements: dict
        suboptions:
          start:
            description: A cron expression.
            type: str
            required: true
          end:
            description: A cron expression.
            type: str
            required: true
          timezone:
            description: The time zone of both.
            type: str
            default: UTC
          state: *state
      push_rule: *push_rule
      variables: *variables
      hooks: *hooks
      deploy_keys:
        description: Deploy keys, known by the key itself. One that the instance knows already is enabled.
        type: list
        elements: dict
        suboptions:
          title:
            description: What it is called.
            type: str
            required: true
          key:
            description: The public key in OpenSSH's format.
            type: str
            required: true
          can_push:
            description: Whether it may push.
            type: bool
            default: false
          state: *state
      deploy_tokens: *deploy_tokens
      runners: *runners
      state: *removed
  users:
    description:
      - People who shall have an account, known by their name. The token must be an administrator's.
      - Nobody knows their passwords; they come by single sign-on, or ask for a new password by mail.
    type: list
    elements: dict
    suboptions:
      name:
        description: The user's name.
        type: str
        required: true
      full_name:
        description: The person's name. The user's name when not said.
        type: str
      email:
        description: The address.
        type: str
        required: true
      state:
        description: Whether the account can be used. None is ever deleted, with it would go what the person made.
        type: str
        choices: [present, blocked]
        default: present
  settings:
    description:
      - Settings of the whole server by the API's own names, such as C(signup_enabled).
      - The token must be an administrator's. One that the server does not know is refused.
    type: dict
  runners:
    description: The instance's own runners, known by their description. The token must be an administrator's.
    type: list
    elements: dict
    suboptions: *runner
  prune:
    description:
      - Kinds of objects of which those that nobody named are deleted in groups and projects that say something of them.
      - A group or project that leaves the kind out keeps all of it; an empty list removes all of it.
      - Groups and projects themselves, the token's own user, users of access tokens, what a group above protects, and
        the instance's runners are never pruned.
    type: list
    elements: str
    choices:
      - members
      - protected_branches
      - protected_tags
      - environments
      - environment_protections
      - freeze_periods
      - variables
      - hooks
      - deploy_keys
      - deploy_tokens
      - runners
    default: []
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.engine.replace
  - socle.platform.gitlab
  - socle.platform.secrets
  - socle.platform.secrets.module
"""

EXAMPLES = r"""
- name: A team, its projects, and what guards production
  socle.platform.gitlab_configuration:
    api_url: https://gitlab.example.org
    api_token: "{{ lookup('socle.platform.secret', 'gitlab/api#token') }}"
    groups:
      - path: cater
        visibility: private
        members:
          - {user: ada, access: owner}
        runners:
          - {name: protected-1, tags: [deploy], protected: true}
    projects:
      - path: cater/shop
        default_branch: main
        settings:
          merge_method: ff
          only_allow_merge_if_pipeline_succeeds: true
        protected_branches:
          - {name: main, push: [nobody], merge: [maintainers]}
        protected_tags:
          - {name: v*, create: [maintainers]}
        variables:
          - {key: REGISTRY_PASSWORD, scope: production, value: "{{ password }}", masked: true, protected: true}
        environments:
          - {name: staging}
          - name: production
            deploy: [group:cater/release]
            approvals: {"group:cater/release": 2}
    prune: [protected_branches, variables]
  delegate_to: localhost
"""

RETURN = r"""
groups:
  description: C(id) and C(web_url) of each group that exists, by path.
  type: dict
  returned: always
projects:
  description: C(id) and C(web_url) of each project that exists, by path.
  type: dict
  returned: always
objects:
  description: Every object, with what was done and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._gitlab import adapter
from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run


def main():
    configuration = adapter.Configuration()
    run(
        Adapter(
            spec=adapter.spec(),
            desired=configuration.desired,
            reader=configuration.reader,
            writer=configuration.writer,
            replaces=True,
            requires=adapter.missing_libraries(),
            more=configuration.more,
        )
    )


if __name__ == "__main__":
    main()
