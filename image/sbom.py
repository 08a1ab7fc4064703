#!/usr/bin/env python3
"""Lists everything in an image, as CycloneDX 1.6 JSON: `sbom.py NAME VERSION SECONDS PACKAGES.tsv CARGO.lock`, to standard output.

PACKAGES.tsv comes from dpkg-query: package, version, architecture, source package, source version. The same inputs give the same bytes.
"""

import datetime
import json
import sys
import tomllib
import uuid
from pathlib import Path
from urllib.parse import quote


def debian(line: str) -> dict:
    """A Debian package."""
    package, version, architecture, source, source_version = line.split("\t")
    name = package.split(":")[0]
    purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={architecture}&distro=debian-13"
    return {
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
        "properties": [{"name": "debian:source", "value": f"{source} {source_version}"}],
    }


def crate(entry: dict) -> dict:
    """A crate in the lock file. Some are only for tests or other machines; the file does not say which."""
    purl = f"pkg:cargo/{entry['name']}@{entry['version']}"
    component = {"type": "library", "bom-ref": purl, "name": entry["name"], "version": entry["version"], "purl": purl}
    if "checksum" in entry:
        component["hashes"] = [{"alg": "SHA-256", "content": entry["checksum"]}]
    return component


def bill(name: str, version: str, seconds: int, packages: str, lock: str) -> dict:
    """The whole document."""
    components = [debian(line) for line in packages.splitlines()]
    components += [crate(entry) for entry in tomllib.loads(lock)["package"] if "source" in entry]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([name, version, components]))
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "operating-system", "bom-ref": name, "name": name, "version": version},
        },
        "components": components,
    }


if __name__ == "__main__":
    name, version, seconds, packages, lock = sys.argv[1:]
    json.dump(bill(name, version, int(seconds), Path(packages).read_text(), Path(lock).read_text()), sys.stdout, indent=1, sort_keys=True)
    print()
