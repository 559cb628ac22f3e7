"""Shell completion, asked for as the shells ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cm2dsl.completion import SHELLS

BIN = Path(sys.executable).parent
ENVIRONMENT = os.environ | {"PATH": os.pathsep.join([str(BIN), os.environ["PATH"]])}


def out(*command: str, **environment: str) -> str:
    result = subprocess.run(
        command, env=ENVIRONMENT | environment, capture_output=True, text=True, check=True
    )
    return result.stdout


def completed(*words: str) -> list[str]:
    """What bash offers for the last of the words, from the script that cm2c prints."""
    quoted = " ".join(f"'{word}'" for word in words)
    return out(
        "bash",
        "--norc",
        "-c",
        'eval "$(cm2c completion bash)"; '
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _cm2c_completion cm2c; "
        'printf "%s\\n" "${COMPREPLY[@]}"',
    ).split()


def test_bash_completes_commands_and_options() -> None:
    assert {"lint", "fmt", "explain", "compile", "completion"} <= set(completed("cm2c", ""))
    assert completed("cm2c", "comp") == ["compile", "completion"]
    assert completed("cm2c", "lint", "--upd") == ["--update-baseline"]
    assert completed("cm2c", "lint", "--format", "g") == ["github", "gitlab"]
    assert completed("cm2c", "completion", "") == list(SHELLS)


def test_bash_completes_rules_and_families_after_each_comma() -> None:
    assert completed("cm2c", "lint", "--select", "l20")[:2] == ["L202", "L203"]
    assert completed("cm2c", "lint", "--ignore", "L101,L203") == ["L101,L203"]
    assert completed("cm2c", "lint", "--ignore", "L101,vague") == ["L101,vague-word"]
    offered = completed("cm2c", "lint", "--select", "")
    assert {"L1", "L2", "L203"} <= set(offered)
    assert all(name.isupper() for name in offered)


def test_bash_completes_codes_of_errors_and_rules() -> None:
    assert completed("cm2c", "explain", "E10")[:2] == ["E101", "E102"]
    assert completed("cm2c", "explain", "vag") == ["vague-word"]
    assert completed("cm2c", "explain", "x") == []


def test_zsh_and_fish_are_told_what_a_code_means() -> None:
    said = out(
        "cm2c", _CM2C_COMPLETE="zsh_complete", COMP_WORDS="cm2c explain E101", COMP_CWORD="2"
    )
    assert said == "plain\nE101\na tool that no tools file defines\n"
    said = out("cm2c", _CM2C_COMPLETE="fish_complete", COMP_WORDS="cm2c explain", COMP_CWORD="E101")
    assert said == "plain,E101\ta tool that no tools file defines\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_names_the_command(shell: str) -> None:
    script = out("cm2c", "completion", shell)
    assert f"_CM2C_COMPLETE={shell}_complete" in script
