"""
Request bodies against the API descriptions that providers publish: OpenAPI documents and protobuf messages.

Published alternatives overlap, so `oneOf` is read as `anyOf`. Most descriptions leave objects open, where a misspelt field
would pass in silence; here a field that the description does not name is reported.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_URN = "urn:spec"
_CLOSING = "unevaluatedProperties"
_NAMING = frozenset({"$ref", "properties", "allOf", "anyOf"})
"""Keywords that can name fields; a schema without any of them takes every field."""
_SET = "set.bin"


def validate_openapi(spec: Path, method: str, path: str, body: object, *, newer: Collection[str] = ()) -> list[str]:
    """
    What is wrong with a JSON request body by an OpenAPI 3.0 or 3.1 document (YAML or JSON), one line each.

    Args:
        path: A key of the document's `paths`: `/chat/completions`.
        newer: Field names that the provider takes and the description does not know yet; left out at any depth.

    Raises:
        KeyError: The document has no such operation with a JSON body.
    """
    return _told(list(_validator(spec, method.lower(), path).iter_errors(_without(body, newer))))


def validate_proto(proto_dir: Path, message: str, body: object, *, newer: Collection[str] = ()) -> list[str]:
    """
    What is wrong with a JSON request body by a protobuf message, in protobuf's JSON form; at most one line.

    Needs the extra `proto`.

    Args:
        proto_dir: A folder of `.proto` files of one package.
        message: The message's name without its package: `GenerateContentRequest`.
        newer: As for `validate_openapi`.

    Raises:
        KeyError: No file of the folder defines the message.
        ValueError: The files do not compile.
    """
    from google.protobuf import json_format

    pool, kind = _message(proto_dir, message)
    try:
        json_format.ParseDict(_without(body, newer), kind(), descriptor_pool=pool)
    except json_format.ParseError as error:
        return [str(error).partition("\n")[0]]
    return []


def _without(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, list):
        return [_without(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _without(item, names) for key, item in value.items() if key not in names}
    return value


@lru_cache(maxsize=8)
def _document(spec: Path) -> Any:
    text = spec.read_bytes()
    if spec.suffix == ".json":
        return _normal(json.loads(text))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return _normal(yaml.load(text, Loader=loader))  # noqa: S506  # both are safe loaders


def _normal(node: Any) -> Any:
    """The document with OpenAPI 3.0's `nullable` as a type, `oneOf` as `anyOf`, and objects without properties left open."""
    if isinstance(node, list):
        return [_normal(item) for item in node]
    if not isinstance(node, dict):
        return node
    new: dict[str, Any] = {key: _normal(value) for key, value in node.items()}
    # A property may itself be called "oneOf" or "nullable"; as a keyword it holds a list or a truth value.
    if isinstance(new.get("oneOf"), list):
        new["anyOf"] = [*new.get("anyOf", ()), *new.pop("oneOf")]
    if new.get("type") == "object" and "properties" not in new:
        new.setdefault("additionalProperties", True)
    return {"anyOf": [new, {"type": "null"}]} if new.pop("nullable", None) is True else new


def _closed(node: Any, *, is_place: bool = False) -> Any:
    """The document with every place of a value closed to fields that none of its alternatives names."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    new: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties" and isinstance(value, dict):
            new[key] = {name: _closed(schema, is_place=True) for name, schema in value.items()}
        else:
            new[key] = _closed(value, is_place=key in ("items", "schema", "additionalProperties"))
    if is_place and _NAMING & new.keys():
        new.setdefault(_CLOSING, False)
    return new


@lru_cache(maxsize=8)
def _registry(spec: Path) -> Any:
    resource: Resource[Any] = Resource.from_contents(_closed(_document(spec)), default_specification=DRAFT202012)
    return Registry().with_resource(_URN, resource)


@lru_cache(maxsize=64)
def _validator(spec: Path, method: str, path: str) -> Draft202012Validator:
    operation = _document(spec)["paths"][path][method]
    place = ["paths", path, method, "requestBody"]
    if "$ref" in operation["requestBody"]:
        place = operation["requestBody"]["$ref"].removeprefix("#/").split("/")
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in [*place, "content", "application/json", "schema"])
    return Draft202012Validator({"$ref": f"{_URN}#/{pointer}"}, registry=_registry(spec))


def _told(errors: Sequence[ValidationError]) -> list[str]:
    """One line per error; a parent's fields count as unnamed where a child is wrong, so those errors are left out."""
    leaves = [_leaf(error) for error in errors]
    places = [(tuple(leaf.absolute_path), leaf.validator == _CLOSING) for leaf in leaves]
    lines = []
    for leaf, (place, is_closing) in zip(leaves, places, strict=True):
        is_echo = is_closing and any(
            other[: len(place)] == place and (other != place or not is_other_closing) for other, is_other_closing in places
        )
        if not is_echo:
            lines.append(_line(leaf))
    return list(dict.fromkeys(lines))


def _leaf(error: ValidationError) -> ValidationError:
    """The error inside the alternative that was meant: the one whose `type` or `role` fits, and of those the nearest."""
    while error.context:
        branches: dict[Any, list[ValidationError]] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        meant = [b for b in branches.values() if not any(map(_is_tag, b))] or list(branches.values())
        nearest = min(meant, key=lambda branch: (any(map(_is_of_other_type, branch)), len(branch)))
        error = next((e for e in nearest if e.validator != _CLOSING), nearest[0])
    return error


def _is_tag(error: ValidationError) -> bool:
    return error.validator in ("const", "enum") and [*error.relative_path][-1:] in (["type"], ["role"])


def _is_of_other_type(error: ValidationError) -> bool:
    return error.validator == "type" and not error.relative_path


def _line(error: ValidationError) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path).lstrip(".")
    # A mismatch of types would quote the whole value.
    words = f"expected {error.validator_value}" if error.validator == "type" else error.message[:300]
    return f"{place or 'body'}: {words}"


@lru_cache(maxsize=16)
def _message(proto_dir: Path, message: str) -> tuple[Any, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    texts = {file.name: file.read_text(encoding="utf-8") for file in sorted(proto_dir.glob("*.proto"))}
    defining = [name for name, text in texts.items() if re.search(rf"^message {re.escape(message)} ", text, re.MULTILINE)]
    if not defining:
        raise KeyError(f"{proto_dir}: no file defines message {message}")
    package = re.search(r"^package ([\w.]+);", texts[defining[0]], re.MULTILINE)
    name = package.group(1) if package else ""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(_compiled(texts, name, defining[0])).file:
        pool.Add(file)
    return pool, message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{name}.{message}".lstrip(".")))


def _compiled(texts: Mapping[str, str], package: str, main: str) -> bytes:
    """
    The descriptor set of one file and all that it imports; files import each other by the path of their package.

    A file that the folder lacks is made up, with empty messages of the names that are missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, *package.split("."))
        home.mkdir(parents=True)
        for name, text in texts.items():
            (home / name).write_text(text, encoding="utf-8")
        said = _protoc(folder, home / main)
        missing = re.findall(rf"{re.escape(package.replace('.', '/'))}/([\w.]+\.proto): File not found", said)
        if missing:
            names = "".join(f"message {name} {{}}\n" for name in dict.fromkeys(re.findall(r'"(\w+)" is not defined', said)))
            head = f'syntax = "proto3";\npackage {package};\n'
            for i, file in enumerate(dict.fromkeys(missing)):
                (home / file).write_text(head + (names if i == 0 else ""), encoding="utf-8")
            said = _protoc(folder, home / main)
        if not Path(folder, _SET).is_file():
            raise ValueError(f"{main} does not compile: {said}")
        return Path(folder, _SET).read_bytes()


def _protoc(folder: str, file: Path) -> str:
    """What protoc says of a file; the descriptor set lies in the folder where it compiled."""
    import google

    includes = [folder, str(files("grpc_tools") / "_proto"), *(str(Path(place).parent) for place in google.__path__)]
    arguments = [*(f"-I{place}" for place in includes), "--include_imports", f"--descriptor_set_out={Path(folder, _SET)}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *arguments, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr
