"""The bundle as a folder: reading it with every file checked, writing it whole or not at all.

Nothing in a bundle.toml reaches outside its folder, and nothing half-written stays behind. What the files hold is
for others to judge.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from sipreplay.bundle.model import Bundle
from sipreplay.bundle.tables import bundle_text, parse_bundle
from sipreplay.errors import BundleError, UsageError

TABLES = "bundle.toml"
MAX_TABLES_BYTES = 64 << 20


def read_bundle(path: Path) -> Bundle:
    """The tables of the bundle in folder `path`. Raises BundleError that names file, key and remedy.

    Every scenario, injection and media file that the tables name exists, inside the folder.
    """
    if not path.exists():
        raise BundleError(f"{path}: no such folder; learn one with: sipreplay learn CAPTURE -o {path}")
    if not path.is_dir():
        raise BundleError(f"{path}: a bundle is a folder, this is a file")
    tables = path / TABLES
    try:
        with tables.open("rb") as file:
            data = file.read(MAX_TABLES_BYTES + 1)
        if len(data) > MAX_TABLES_BYTES:
            raise BundleError(f"{tables}: larger than {MAX_TABLES_BYTES >> 20} MB; this is no bundle")
        text = data.decode("utf-8")
    except FileNotFoundError:
        raise BundleError(f"{path}: holds no {TABLES}, so it is no bundle") from None
    except UnicodeDecodeError as error:
        raise BundleError(f"{tables}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise BundleError(f"{tables}: cannot be read: {error.strerror}") from error
    bundle = parse_bundle(text, str(tables))
    for number, scenario in enumerate(bundle.scenarios, 1):
        key = f"{tables}: scenario[{number}]"
        _inside(path, scenario.file, f"{key}.file")
        if scenario.injection:
            _inside(path, scenario.injection, f"{key}.injection")
        for place, media in enumerate(scenario.media, 1):
            _inside(path, media.file, f"{key}.media[{place}].file")
    return bundle


def _inside(folder: Path, name: str, key: str) -> None:
    problem = _bad_name(name)
    if problem:
        raise BundleError(f"{key} {name!r} {problem}; name a file inside the bundle's folder")
    target = folder / name
    if not target.is_file():
        raise BundleError(
            f"{key} names {name!r}, which is not in the folder; learn the capture again or correct the name"
        )
    if not target.resolve().is_relative_to(folder.resolve()):
        raise BundleError(f"{key} {name!r} is a link that leaves the folder; put the file itself there")


def _bad_name(name: str) -> str:
    """Why a name cannot be a file inside a bundle; "" if it can."""
    parts = PurePosixPath(name).parts
    if not name or not parts or name.endswith("/"):
        return "is no file name"
    if name.startswith(("/", "~")) or "\\" in name:
        return "is not relative to the bundle"
    if ".." in parts:
        return "leaves the bundle"
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "holds control characters"
    return ""


def write_bundle(path: Path, bundle: Bundle, files: Mapping[str, bytes | Path], force: bool = False) -> None:
    """Write folder `path`: bundle.toml and `files` (name inside the bundle to its bytes, or to a file to copy).

    An existing folder that is not empty is refused without `force`. With it, the files of the bundle that was there
    go and any other file stays. All is written beside first, then put in place. Raises UsageError, BundleError.
    """
    refuse_full_folder(path, force)
    for name in files:
        problem = _bad_name(name)
        if problem or name == TABLES:
            raise BundleError(f"{path}: {name!r} {problem or 'is written from the tables'}")
    existing = path.is_dir()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In the folder if there is one: it may be a file system of its own.
        fresh = Path(tempfile.mkdtemp(prefix=".sipreplay-", dir=path if existing else path.parent))
    except OSError as error:
        raise BundleError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        _fill(fresh, bundle, files)
        if existing:
            _replace(path, fresh)
        else:
            fresh.chmod(0o777 & ~_umask())
            fresh.rename(path)
    except OSError as error:
        raise BundleError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def refuse_full_folder(path: Path, force: bool) -> None:
    """Raise UsageError where `write_bundle` would refuse: to be asked before long work."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: exists and is no folder; choose another name")
    if path.is_dir() and not force and any(path.iterdir()):
        raise UsageError(f"{path}: exists and is not empty; choose another folder, or say --force to overwrite")


def _fill(folder: Path, bundle: Bundle, files: Mapping[str, bytes | Path]) -> None:
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, target)
        else:
            target.write_bytes(content)
        if name.endswith(".sh"):
            target.chmod(0o755)
    (folder / TABLES).write_text(bundle_text(bundle), encoding="utf-8")


def _replace(path: Path, fresh: Path) -> None:
    """Put the fresh files in place of an old bundle's, its tables first away and last back: never a mixed bundle."""
    old = _files_of(path)
    (path / TABLES).unlink(missing_ok=True)
    for gone in old:
        (path / gone).unlink(missing_ok=True)
    names = [p.relative_to(fresh) for p in fresh.rglob("*") if p.is_file()]
    for name in sorted(names, key=lambda n: str(n) == TABLES):
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / name, target)


def _files_of(path: Path) -> list[str]:
    try:
        bundle = read_bundle(path)
    except BundleError:
        return []
    names = {s.file for s in bundle.scenarios} | {s.injection for s in bundle.scenarios if s.injection}
    return sorted(names | {m.file for s in bundle.scenarios for m in s.media})


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
