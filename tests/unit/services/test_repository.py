# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in a real bare repository, with people who write to it before, beside and while."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._git import client, files
from ansible_collections.socle.platform.plugins.module_utils._reconcile import Options, apply, plan
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

ENVIRONMENT = {
    **os.environ,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class World:
    """A bare repository, and a person with a work tree of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = str(folder / "platform.git")
        self._git("init", "--quiet", "--bare", "--initial-branch=main", self.url)
        self.person = folder / "ada"
        self._git("clone", "--quiet", self.url, str(self.person))

    def _git(self, *arguments: str, at: Path | None = None) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=at or self.folder, env=ENVIRONMENT, check=True, capture_output=True, text=True
        ).stdout

    def head(self) -> str:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "-q", "refs/heads/main"],
            cwd=self.url,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def commits(self) -> list[str]:
        return self._git("rev-list", "main", at=Path(self.url)).split() if self.head() else []

    def tree(self) -> dict[str, str]:
        if not self.head():
            return {}
        names = self._git("ls-tree", "-r", "--name-only", "main", at=Path(self.url)).split("\n")
        return {name: self._git("show", f"main:{name}", at=Path(self.url)) for name in filter(None, names)}

    def ours(self) -> dict[str, str]:
        return {name: text for name, text in self.tree().items() if name != files.RECORD}

    def writes(self, changes: dict[str, str | None], message: str = "by hand") -> None:
        """A person's commit, on top of whatever is there."""
        if self.head():
            self._git("fetch", "--quiet", "origin", at=self.person)
            self._git("checkout", "--quiet", "-B", "main", "origin/main", at=self.person)
        for name, text in changes.items():
            path = self.person / name
            if text is None:
                path.unlink(missing_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        self._git("add", "-A", at=self.person)
        self._git("commit", "--quiet", "--allow-empty", "-m", message, at=self.person)
        self._git("push", "--quiet", "origin", "HEAD:main", at=self.person)

    def message(self) -> str:
        return self._git("log", "-1", "--format=%B", "main", at=Path(self.url))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def keep(world: World, wanted: dict[str, str], **more: Any) -> tuple[Any, Any]:
    """What the module does, in this process. Gives plan and result; the result is None where nothing was applied."""
    before: Callable[[], None] = more.pop("before_push", lambda: None)
    parameters = {"url": world.url, "branch": "main", "files": wanted, "force": False, "timeout": 60.0, **more}
    repository = files.Repository(parameters)
    reader = files.Files(repository)
    commit = repository.clone.commit

    def committing(*arguments: Any) -> str:
        before()
        return commit(*arguments)

    repository.clone.commit = committing  # type: ignore[method-assign]  # somebody acts between reading and writing
    try:
        made = plan(files.desired(parameters, repository.key), reader)
        if made.refusals or not made.changed:
            return made, None
        writer = files.FilesWriter(repository, "Because it is wanted.", "Socle <socle@example.org>")
        return made, apply(made, lambda: writer, reader=reader, options=Options(deadline=60))
    finally:
        repository.clone.close()


def test_an_empty_repository_is_filled_and_a_second_run_makes_no_commit(world: World) -> None:
    """Would catch a commit at each run, several commits for one change, and a message that says nothing."""
    wanted = {"services/loki/values.yaml": "a: 1\n", "bootstrap/kustomization.yaml": "b: 2\n"}
    _plan, result = keep(world, wanted)
    assert result.ok, result.message()
    assert world.ours() == wanted
    assert len(world.commits()) == 1
    assert world.message().startswith("Add bootstrap, loki\n\nBecause it is wanted.\n\nadd bootstrap/")
    again, _none = keep(world, wanted)
    assert not again.changed and not again.refusals
    assert len(world.commits()) == 1


def test_what_others_keep_beside_ours_stays(world: World) -> None:
    """Would catch a run that writes the whole tree anew."""
    world.writes({"README.md": "read me\n", "environments/test/shop/app.yaml": "x\n", "run.sh": "#!/bin/sh\n"})
    _plan, result = keep(world, {"services/a.yaml": "1\n", "services/b.yaml": "1\n"})
    assert result.ok
    world.writes({"notes.txt": "mine\n"})
    _plan, result = keep(world, {"services/a.yaml": "2\n"})
    assert result.ok
    assert world.ours() == {
        "README.md": "read me\n",
        "environments/test/shop/app.yaml": "x\n",
        "run.sh": "#!/bin/sh\n",
        "notes.txt": "mine\n",
        "services/a.yaml": "2\n",
    }


@pytest.mark.parametrize("hand", ["changed\n", None])
def test_a_change_by_hand_is_shown_and_kept(world: World, hand: str | None) -> None:
    """Would catch work of somebody that is written over, or refused without saying what it is."""
    keep(world, {"services/a.yaml": "1\n", "services/b.yaml": "1\n"})
    world.writes({"services/a.yaml": hand})
    head = world.head()
    made, result = keep(world, {"services/a.yaml": "2\n", "services/b.yaml": "2\n"})
    assert result is None and world.head() == head
    (said,) = made.refusals
    assert "services/a.yaml" in said and "by hand" in said and "force" in said
    assert hand is None or ("-changed" in said and "+2" in said)
    made, result = keep(world, {"services/a.yaml": "2\n", "services/b.yaml": "2\n"}, force=True)
    assert result.ok
    assert any("services/a.yaml" in text for text in made.warnings)
    assert world.ours() == {"services/a.yaml": "2\n", "services/b.yaml": "2\n"}


def test_a_file_that_was_there_before_is_not_taken(world: World) -> None:
    """Would catch a first run that writes over what a team already had at that path; the same content is fine."""
    world.writes({"services/a.yaml": "theirs\n", "services/same.yaml": "same\n"})
    made, result = keep(world, {"services/a.yaml": "ours\n", "services/same.yaml": "same\n"})
    assert result is None
    assert [("services/a.yaml" in said, "not written by this" in said) for said in made.refusals] == [(True, True)]
    _plan, result = keep(world, {"services/same.yaml": "same\n"})
    assert result.ok
    # It is ours from then on: the next version is no clash.
    _plan, result = keep(world, {"services/same.yaml": "new\n"})
    assert result.ok and world.ours()["services/same.yaml"] == "new\n"


def test_a_folder_in_the_place_of_a_file_is_refused_even_with_force(world: World) -> None:
    """Would catch a folder of somebody that disappears behind a file of ours."""
    world.writes({"services/a/theirs.yaml": "x\n", "clusters": "a file\n"})
    for path in ("services/a", "clusters/b.yaml"):
        made, result = keep(world, {path: "1\n"}, force=True)
        assert result is None and "stands in its place" in made.refusals[0]


def test_a_commit_that_arrives_in_between_is_not_lost(world: World) -> None:
    """Would catch a push that is forced, and a second look that forgets to judge again."""
    keep(world, {"services/a.yaml": "1\n"})
    times = iter([{"README.md": "x\n"}, {"other.txt": "y\n"}])
    _plan, result = keep(
        world,
        {"services/a.yaml": "2\n"},
        before_push=lambda: world.writes(next(times, {"third.txt": "z\n"})) if len(world.commits()) < 3 else None,
    )
    assert result.ok, result.message()
    assert world.ours() == {"services/a.yaml": "2\n", "README.md": "x\n", "other.txt": "y\n"}

    fired: list[int] = []

    def hand() -> None:
        if not fired:
            fired.append(1)
            world.writes({"services/a.yaml": "by hand\n"})

    _plan, result = keep(world, {"services/a.yaml": "3\n"}, before_push=hand)
    assert not result.ok and "by hand" in result.message()
    assert world.ours()["services/a.yaml"] == "by hand\n"


def test_a_push_whose_answer_was_lost_is_not_done_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch a second commit, or a failure, after a push that had arrived."""
    real = client.Clone.git
    lost: list[int] = []

    def git(self: client.Clone, *arguments: str, **options: Any) -> bytes:
        answer = real(self, *arguments, **options)
        if arguments[0] == "push" and not lost:
            lost.append(1)
            raise client._Failed("push", "fatal: the remote end hung up unexpectedly")
        return answer

    monkeypatch.setattr(client.Clone, "git", git)
    _plan, result = keep(world, {"services/a.yaml": "1\n"})
    assert result.ok, result.message()
    assert lost and len(world.commits()) == 1


def test_errors_name_the_repository_and_the_next_step(tmp_path: Path, world: World) -> None:
    """Would catch a bare traceback, and a URL's password in a message."""
    parameters = {"url": str(tmp_path / "nothing.git"), "files": {"a": "1"}, "force": False}
    repository = files.Repository(parameters)
    with pytest.raises(Exception, match=r"nothing\.git.*there is no such repository"):
        repository.look(["a"])
    repository.clone.close()
    away = files.Repository({"url": "http://ada:hidden@127.0.0.1:9/x.git", "files": {"a": "1"}, "force": False})
    with pytest.raises(Exception, match=r"127\.0\.0\.1:9/x\.git") as raised:
        away.look(["a"])
    assert "hidden" not in str(raised.value)
    away.clone.close()
    hook = Path(world.url) / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    _plan, result = keep(world, {"a": "1\n"})
    assert "rejected" in result.message() and "let this account push" in result.message()


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b", ".git/config", "a\nb", files.RECORD, "a//b"])
def test_paths_stay_inside(path: str) -> None:
    """Would catch a path that leaves the repository."""
    with pytest.raises(Exception, match="wanted one inside the repository"):
        list(files.desired({"files": {path: "x"}}, "key"))


def test_a_token_is_never_an_argument(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Would catch a token that everybody on the machine can read in the list of processes."""
    seen: list[list[str]] = []
    real = subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        seen.append(command)
        return real(command, check=options.pop("check", False), **options)

    monkeypatch.setattr(client.subprocess, "run", run)
    clone = client.Clone(client.Remote(url="http://127.0.0.1:9/x.git", token="t0psecret"))
    with pytest.raises(Exception, match="could not be read"):
        clone.fetch()
    clone.close()
    assert seen and not any("t0psecret" in part for command in seen for part in command)


PATHS = ["services/a.yaml", "services/b.yaml", "clusters/c.yaml", "theirs.txt"]
CONTENT = st.sampled_from(["1\n", "2\n", "3\n"])
OURS = st.dictionaries(st.sampled_from(PATHS[:3]), CONTENT, min_size=1)
HAND = st.dictionaries(st.sampled_from(PATHS), st.one_of(CONTENT, st.none()), min_size=1, max_size=2)
ACT = st.one_of(
    st.tuples(st.just("keep"), OURS, st.booleans()),
    st.tuples(st.just("hand"), HAND, st.just(False)),
    st.tuples(st.just("race"), OURS, HAND),
    st.tuples(st.just("die"), OURS, st.sampled_from(["hash-object", "commit-tree", "push", "after"])),
)


class Died(BaseException):
    """As a kill does it: nothing of ours runs afterwards."""


@pytest.fixture(scope="module")
def places() -> Iterator[Callable[[], Path]]:
    with tempfile.TemporaryDirectory() as folder:
        count = iter(range(10**6))

        def place() -> Path:
            path = Path(folder) / str(next(count))
            path.mkdir()
            return path

        yield place


# Each step is a dozen processes: what fails is printed as it is, not made smaller for minutes.
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(acts=st.lists(ACT, min_size=2, max_size=6))
def test_whatever_happens_nobody_loses_work(places: Callable[[], Path], acts: list[tuple[str, Any, Any]]) -> None:
    """Would catch an order of runs, changes by hand, races and kills that loses a commit or writes over a hand's work.

    The model: which content of each path was written by whom last. A run may replace what a run wrote, or what is as
    wanted; anything else only with force.
    """
    world = World(places())
    by_hand: dict[str, str | None] = {}

    def hand(changes: dict[str, str | None]) -> None:
        before = world.tree()
        world.writes(changes)
        recorded = json.loads(before.get(files.RECORD, "{}"))
        for path, text in changes.items():
            if text is None and path not in recorded:
                by_hand.pop(path, None)
            elif before.get(path) != text:
                by_hand[path] = text

    def run(wanted: dict[str, str], **more: Any) -> None:
        before, commits = world.ours(), world.commits()
        made, result = keep(world, wanted, **more)
        after = world.ours()
        assert world.commits()[-len(commits) :] == commits or not commits, "history was rewritten"
        if result is not None and result.ok:
            for path, text in wanted.items():
                assert after[path] == text
                if not more.get("force"):
                    assert path not in by_hand or by_hand[path] == text, f"{path} of a hand was written over"
                by_hand.pop(path, None)
            again, _none = keep(world, wanted, **{k: v for k, v in more.items() if k == "force"})
            assert not again.changed
        elif result is None:
            assert after == before and (made.refusals or not made.changed)
        for path, text in by_hand.items():
            if not more.get("force") and path not in wanted:
                assert after.get(path) == text

    for kind, first, second in acts:
        if kind == "keep":
            run(first, force=second)
            if second:
                by_hand = {path: text for path, text in by_hand.items() if path == "theirs.txt"}
        elif kind == "hand":
            hand(first)
        elif kind == "race":
            run(first, before_push=functools.partial(_once, hand, [second]))
        else:
            _die(world, first, second)
    theirs = by_hand.get("theirs.txt")
    assert world.ours().get("theirs.txt") == theirs


def _once(act: Callable[[Any], None], left: list[Any]) -> None:
    if left:
        act(left.pop())


def _die(world: World, wanted: dict[str, str], at: str) -> None:
    """A run that is killed: what it leaves in the repository is all or nothing."""
    before = world.ours()
    real = client.Clone.git

    def git(self: client.Clone, *arguments: str, **options: Any) -> bytes:
        if arguments[0] == at:
            raise Died
        answer = real(self, *arguments, **options)
        if arguments[0] == "push" and at == "after":
            raise Died
        return answer

    client.Clone.git = git  # type: ignore[method-assign]  # killed in the middle
    try:
        keep(world, wanted)
    except Died:
        pass
    finally:
        client.Clone.git = real  # type: ignore[method-assign]  # alive again
    after = world.ours()
    assert after == before or all(after.get(path) == text for path, text in wanted.items())
