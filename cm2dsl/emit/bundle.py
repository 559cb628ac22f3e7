"""A bundle on disk: what is in it, how it is written, how it is verified.

BUNDLE/
  manifest.json        edition, compiler and source hashes, and SHA-256 of every other file
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

from cm2dsl import ir, prompts
from cm2dsl.compiler import Compiled
from cm2dsl.emit.reward import emit_reward

MANIFEST = "manifest.json"
FORMAT = 1


class BundleError(Exception):
    """A bundle that is not what the compiler wrote; the message names the file."""


def bundle_files(compiled: Compiled) -> dict[str, bytes]:
    """Every file of the bundle, by name. The same spec gives the same bytes everywhere."""
    spec = compiled.spec
    files = {
        "ir.json": _json(spec.model_dump(mode="json", exclude_defaults=False)),
        "reward.py": emit_reward(spec).encode(),
    }
    files |= {name: text.encode() for name, text in prompts.files().items()}
    files |= {f"files/{name}": compiled.read[name] for name in _carried(spec)}
    manifest = {
        "format": FORMAT,
        "edition": spec.edition,
        "domain": spec.domain,
        "compiler": spec.compiler.model_dump(),
        "sources": {source.file: source.sha256 for source in spec.sources},
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
    }
    return files | {MANIFEST: _json(manifest)}


def _carried(spec: ir.Spec) -> list[str]:
    """The source files that the runtime needs as they are."""
    names = {task.reference for task in spec.tasks if task.reference is not None}
    names |= {test.trajectory for test in spec.tests}
    names |= {b.file for b in spec.simulate if isinstance(b, ir.PythonBackend)}
    return sorted(names)


def _json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    return (text + "\n").encode()


def write_bundle(compiled: Compiled, folder: Path) -> None:
    """Write the bundle to `folder`, whole or not at all; a bundle that was there is replaced.

    Raises BundleError where `folder` holds something that is not a bundle, OSError where it
    cannot be written.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise BundleError(f"`{folder}` is not a bundle, and is left as it is: name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, content in bundle_files(compiled).items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        fresh.chmod(0o755)
        old = fresh.with_name(fresh.name + ".old")
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def read_bundle(folder: Path) -> dict[str, bytes]:
    """Every file of a bundle, verified. Raises BundleError that names the file at fault."""
    try:
        raw = (folder / MANIFEST).read_bytes()
    except OSError:
        raise BundleError(f"`{folder}` is not a bundle: it has no {MANIFEST}") from None
    again = f"compile the spec again: `cm2c compile SPEC -o {folder.parent}`"
    try:
        manifest = json.loads(raw)
        listed = dict(manifest["files"])
        form = manifest["format"]
    except (ValueError, KeyError, TypeError):
        raise BundleError(f"`{folder / MANIFEST}` was changed: {again}") from None
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
        if hashlib.sha256(contents[name]).hexdigest() != listed[name]:
            raise BundleError(f"`{folder / name}` was changed after it was compiled: {again}")
    if raw != _json(_manifest_of(manifest, contents)):
        raise BundleError(f"`{folder / MANIFEST}` was changed: {again}")
    return contents


def _manifest_of(manifest: dict[str, object], contents: dict[str, bytes]) -> dict[str, object]:
    """The manifest that the IR and the files call for; a changed one differs from it."""
    try:
        spec = json.loads(contents["ir.json"])
        return {
            "format": FORMAT,
            "edition": spec["edition"],
            "domain": spec["domain"],
            "compiler": spec["compiler"],
            "sources": {source["file"]: source["sha256"] for source in spec["sources"]},
            "files": {
                name: hashlib.sha256(content).hexdigest() for name, content in contents.items()
            },
        }
    except (ValueError, KeyError, TypeError):
        return {}
