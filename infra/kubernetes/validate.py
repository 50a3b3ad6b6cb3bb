"""Validates rendered objects strictly: an unknown field, a wrong type or an unknown kind is an error.

python validate.py NAME FILE

NAME is printed with the verdict. Where all objects pass, copies of one with a defect each are validated as
well. If one of them passes, the check is blind, and fails.
"""

from __future__ import annotations

import copy
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kubernetes_validate import SchemaNotFoundError, ValidationError, validate

# The oldest that docs/kubernetes.md names, and the newest of which the package has schemas.
VERSIONS = ("1.30", "1.37")

Object = dict[str, Any]


def misspell_a_field(deployment: Object) -> None:
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["readinesProbe"] = container.pop("readinessProbe")


def make_a_number_a_list(deployment: Object) -> None:
    deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = [0]


def forget_the_selector(deployment: Object) -> None:
    del deployment["spec"]["selector"]


def take_a_version_that_is_gone(deployment: Object) -> None:
    deployment["apiVersion"] = "extensions/v1beta1"


DEFECTS: tuple[Callable[[Object], None], ...] = (
    misspell_a_field,
    make_a_number_a_list,
    forget_the_selector,
    take_a_version_that_is_gone,
)


def error_of(thing: Object, version: str) -> str | None:
    """Return what is wrong with the object in this version of Kubernetes, or None."""
    name = f"{thing['kind']} {thing['metadata']['name']}, Kubernetes {version}"
    try:
        validate(thing, version, strict=True)
    except ValidationError as error:
        return f"{name}: {'.'.join(map(str, error.path)) or 'the object'}: {error.message[:300]}"
    except SchemaNotFoundError:  # the package's own command only warns
        return f"{name}: there is no {thing['kind']} of {thing['apiVersion']}"
    return None


def main(name: str, path: Path) -> int:
    objects = [thing for thing in yaml.safe_load_all(path.read_text()) if thing]
    errors = [error for thing in objects for version in VERSIONS if (error := error_of(thing, version))]
    for error in errors:
        print(f"validate: {name}: {error}", file=sys.stderr)
    if errors:
        return 1
    deployments = {thing["metadata"]["name"]: thing for thing in objects if thing["kind"] == "Deployment"}
    for spoil in DEFECTS:
        broken = copy.deepcopy(deployments["web"])
        spoil(broken)
        if not all(error_of(broken, version) for version in VERSIONS):
            print(f"validate: {spoil.__name__} was not noticed: the check is blind", file=sys.stderr)
            return 2
    kinds = Counter(thing["kind"] for thing in objects)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    print(f"{name}: {len(objects)} objects valid in Kubernetes {' and '.join(VERSIONS)}: {told}")
    print(f"{name}: {len(DEFECTS)} of {len(DEFECTS)} defects noticed in copies of the Deployment web")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
