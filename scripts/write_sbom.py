"""Writes beside each wheel what it is made of: a software bill of materials, CycloneDX 1.6 in JSON.

python scripts/write_sbom.py dist/eigentropy-*.whl        (make release-check does so)

What the compiled files bundle is read from the files themselves: OpenBLAS states its version, and
the core states pybind11's and the compiler's. It is an error if one of them is not found.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import uuid
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

# From the library and from bind_machine.cpp.
OPENBLAS = re.compile(rb"OpenBLAS (\d+\.\d+\.\d+(?:\.\d+)*)")
BUILT_WITH = re.compile(rb"eigentropy was built with pybind11 ([\w.]+) by (GCC|Clang) ([\w.]+)")


def only(pattern: re.Pattern[bytes], contents: list[bytes], what: str) -> tuple[str, ...]:
    """The groups of the first match. What is bundled must say what it is."""
    for content in contents:
        if found := pattern.search(content):
            return tuple(group.decode() for group in found.groups())
    raise SystemExit(f"error: no file of the wheel states its version of {what}")


def component(name: str, version: str | None, licence: str, **more: Any) -> dict[str, Any]:
    """One entry; a licence with a space in it is an expression."""
    entry: dict[str, Any] = {"type": "library", "bom-ref": name, "name": name}
    if version is not None:
        entry["version"] = version
    kind = [{"expression": licence}] if " " in licence else [{"license": {"id": licence}}]
    return {**entry, "licenses": kind, **more}


def bill(wheel: Path) -> dict[str, Any]:
    """The bill of materials of one wheel, the same for the same wheel."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        about: Message = Parser().parsestr(archive.read(metadata).decode())
        compiled = [archive.read(name) for name in names if re.search(r"\.(so|pyd|dll)", name)]
    (openblas,) = only(OPENBLAS, compiled, "OpenBLAS")
    pybind11, compiler, compiler_version = only(BUILT_WITH, compiled, "pybind11")
    name, version = about["Name"], about["Version"]
    bundled = [
        component("openblas", openblas, "BSD-3-Clause", purl=f"pkg:generic/openblas@{openblas}"),
        # Both are compiled into the library of OpenBLAS, which states no version of theirs.
        component("lapack", None, "BSD-3-Clause-Open-MPI"),
        component("libgfortran", None, "GPL-3.0-or-later WITH GCC-exception-3.1"),
        component("pybind11", pybind11, "BSD-3-Clause", purl=f"pkg:pypi/pybind11@{pybind11}"),
    ]
    itself = component(
        name, version, about["License-Expression"], purl=f"pkg:pypi/{name}@{version}"
    )
    itself["hashes"] = [{"alg": "SHA-256", "content": digest}]
    itself["properties"] = [
        {"name": "eigentropy:wheel", "value": wheel.name},
        {"name": "eigentropy:compiler", "value": f"{compiler} {compiler_version}"},
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {"component": itself},
        "components": bundled,
        "dependencies": [{"ref": name, "dependsOn": [entry["bom-ref"] for entry in bundled]}],
    }


def main(wheels: list[str]) -> None:
    """Write a file beside each wheel, and check it where the validator is installed."""
    for path in map(Path, wheels):
        text = json.dumps(bill(path), indent=2) + "\n"
        validate(text)
        target = path.with_name(f"{path.stem}.cdx.json")
        target.write_text(text)
        print(target)


def validate(text: str) -> None:
    """End with what the schema of CycloneDX has against the text."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"error: the bill of materials is not CycloneDX 1.6: {error}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python scripts/write_sbom.py WHEEL...")
    main(sys.argv[1:])
