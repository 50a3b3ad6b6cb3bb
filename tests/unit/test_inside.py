"""A container's output that Docker loses: seen with 20.10 on a busy machine."""

import subprocess

import pytest
from docker.errors import APIError

from verify.inside import MAX_LOOKS, run_inside

ENDING = (126, b"cannot exec in a stopped state: unknown\r\n")  # Docker 20.10's answer


class Forgetful:
    """A container on this machine whose first answers are lost, or end in the middle."""

    def __init__(self, *lost):
        self.lost = list(lost)

    def exec_run(self, command, environment=None):
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
        return done.returncode, self.lost.pop(0) if self.lost else done.stdout


@pytest.mark.parametrize("lost", [(), (b"",), (b"one\ntw", b"")])
def test_all_output_of_a_command_that_ran_once_is_told(tmp_path, lost):
    runs = tmp_path / "runs"
    command = ["bash", "-c", 'echo run >>"$1"; echo one; echo two $A >&2; exit 3', "-", str(runs)]

    assert run_inside(Forgetful(*lost), command, A="7") == (3, "one\ntwo 7\n")
    assert runs.read_text() == "run\n"


def test_output_that_stays_lost_is_an_error():
    with pytest.raises(RuntimeError, match="lost the output"):
        run_inside(Forgetful(*[b""] * (MAX_LOOKS + 1)), ["true"])


class Ending:
    """A container that is killed while a command runs, and may run again at once, without its files."""

    name = "db"

    def __init__(self, *answers):
        self.answers = list(answers)

    def exec_run(self, command, environment=None):
        if self.answers:
            return self.answers.pop(0)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout


@pytest.mark.parametrize(
    "answers",
    [[ENDING] * (MAX_LOOKS + 1), [(137, b""), ENDING], [ENDING], [(137, b"")], [(0, b"half")]],
    ids=["slowly", "killed", "started again", "killed and started again", "done, but not read"],
)
def test_a_container_that_ends_does_not_answer_for_its_command(answers):
    with pytest.raises(APIError, match="db ended while it ran"):
        run_inside(Ending(*answers), ["true"])
