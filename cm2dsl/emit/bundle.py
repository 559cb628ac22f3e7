"""A bundle on disk: what is in it, how it is written, how it is verified.

BUNDLE/
  manifest.json        edition, compiler and source hashes, SHA-256 of every file
  ir.json              the spec (docs/ir.schema.json)
  reward.py            the checks
  prompts/             the judge's Jinja2 templates and the verdict's JSON Schema
  files/               recordings, backends and fixtures, under the names the spec gives them
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from cm2dsl import ir, prompts
from cm2dsl.compiler import Compiled
from cm2dsl.emit import MANIFEST
from cm2dsl.emit.reward import emit_reward
from cm2dsl.jsonl import JsonError, parse

SPEC = "ir.json"
FORMAT = 2
OWN_HASH = "sha256"
"""The manifest's key for the hash of the manifest without this key."""


class BundleError(Exception):
    """A bundle that is not what the compiler wrote; the message names the file."""


def bundle_files(compiled: Compiled) -> dict[str, bytes]:
    """Every file of the bundle, by name. The same spec gives the same bytes everywhere."""
    spec = compiled.spec
    files = {
        SPEC: _json(msgspec.to_builtins(spec)),
        "reward.py": emit_reward(spec).encode(),
    }
    files |= {name: text.encode() for name, text in prompts.files().items()}
    files |= {f"files/{name}": compiled.read[name] for name in _carried(spec)}
    manifest = {
        "format": FORMAT,
        "edition": spec.edition,
        "domain": spec.domain,
        "compiler": msgspec.to_builtins(spec.compiler),
        "sources": {source.file: source.sha256 for source in spec.sources},
        "files": {name: _hash(files[name]) for name in sorted(files)},
    }
    return files | {MANIFEST: _json(manifest | {OWN_HASH: _hash(_json(manifest))})}


def _carried(spec: ir.Spec) -> list[str]:
    """The source files that the runtime needs as they are."""
    names = {task.reference for task in spec.tasks if task.reference is not None}
    names |= {test.trajectory for test in spec.tests}
    names |= {b.file for b in spec.simulate if isinstance(b, ir.PythonBackend)}
    return sorted(names)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return (msgspec.json.format(text, indent=1) + "\n").encode()  # `indent` of json is slow


def write_bundle(compiled: Compiled, folder: Path) -> None:
    """Write the bundle to `folder`, whole or not at all; a bundle that was there is replaced.

    Raises BundleError where `folder` holds something that is not a bundle, OSError where it
    cannot be written.
    """
    if folder.is_file() or (
        folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir())
    ):
        raise BundleError(f"`{folder}` is not a bundle, and is left as it is: name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, content in bundle_files(compiled).items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        fresh.chmod(0o755)
        _replace(folder, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _replace(folder: Path, fresh: Path) -> None:
    """Put `fresh` where `folder` is, or leave `folder` as it was."""
    old = fresh.with_name(f"{fresh.name}.old")
    if folder.exists():
        folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def read_bundle(folder: Path) -> dict[str, bytes]:
    """Every file of a bundle, verified. Raises BundleError that names the file at fault."""
    try:
        raw = (folder / MANIFEST).read_bytes()
    except OSError:
        raise BundleError(f"`{folder}` is not a bundle: it has no {MANIFEST}") from None
    again = f"compile the spec again: `cm2c compile SPEC -o {folder.parent}`"
    manifest = _read_manifest(raw)
    if manifest is None:
        raise BundleError(f"`{folder / MANIFEST}` was changed after it was compiled: {again}")
    listed, form = manifest["files"], manifest["format"]
    if form != FORMAT:
        raise BundleError(f"`{folder}` has bundle format {form}, this reads {FORMAT}: {again}")
    present = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    extra = sorted(set(present) - set(listed) - {MANIFEST})
    if extra:
        raise BundleError(f"`{folder / extra[0]}` is not of this bundle: take it out")
    contents: dict[str, bytes] = {}
    for name in sorted(listed):
        if name not in present:
            raise BundleError(f"`{folder / name}` is missing: {again}")
        contents[name] = present[name].read_bytes()
        if _hash(contents[name]) != listed[name]:
            raise BundleError(f"`{folder / name}` was changed after it was compiled: {again}")
    return contents


def read_spec(folder: Path, contents: dict[str, bytes]) -> ir.Spec:
    """The spec in the files of a bundle. Raises BundleError where `ir.json` is of another shape."""
    try:
        return msgspec.json.decode(contents[SPEC], type=ir.Spec)
    except (msgspec.MsgspecError, KeyError, RecursionError) as error:
        what = str(error).partition("\n")[0]
        again = f"compile the spec again: `cm2c compile SPEC -o {folder.parent}`"
        raise BundleError(f"`{folder / SPEC}` is not a spec as JSON ({what}): {again}") from None


def _read_manifest(raw: bytes) -> dict[str, Any] | None:
    """The manifest, or None where it is not, byte for byte, what was written."""
    try:
        manifest = parse(raw)
    except JsonError:
        return None
    if not isinstance(manifest, dict):
        return None
    rest = {key: manifest[key] for key in manifest if key != OWN_HASH}
    whole = rest | {OWN_HASH: _hash(_json(rest))}
    return manifest if raw == _json(whole) and rest.keys() >= {"files", "format"} else None
