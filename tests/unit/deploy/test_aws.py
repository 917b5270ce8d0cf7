"""Tests that the policies for AWS are valid and name the actions that the code calls, no others."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import ROOT, all_blocks
from tests.support.aws_policies import FACTS, FOLDER, POLICIES, policy

#: The right that a call of boto3 needs, where it is named otherwise.
RIGHTS = {
    "abort_multipart_upload": "s3:AbortMultipartUpload",
    "complete_multipart_upload": "s3:PutObject",
    "create_multipart_upload": "s3:PutObject",
    "delete_object": "s3:DeleteObject",
    "delete_objects": "s3:DeleteObject",
    "get_object": "s3:GetObject",
    "head_object": "s3:GetObject",
    "list_multipart_uploads": "s3:ListBucketMultipartUploads",
    "list_objects_v2": "s3:ListBucket",
    "put_object": "s3:PutObject",
    "upload_part": "s3:PutObject",
    "decrypt": "kms:Decrypt",
    "describe_key": "kms:DescribeKey",
    "encrypt": "kms:Encrypt",
    "generate_data_key": "kms:GenerateDataKey",
    "get_public_key": "kms:GetPublicKey",
    "sign": "kms:Sign",
}
#: What the policies of keys and buckets allow to administrators, or deny.
WITHOUT_A_CALL = ("AdministerWithoutUsingIt", "RefusePlainHttp", "RefuseWhatKmsDoesNotEncrypt", "AssumedByAirflow")
CALL = re.compile(r'client\.(?!meta\b)(?:get_paginator\("(\w+)"\)|(\w+)\()|ask_kms\(\s*[\w.]+,\s*"(\w+)"')


def statements(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(policy(name))["Statement"]
    return found


def actions(name: str) -> Iterator[str]:
    for statement in statements(name):
        if statement["Sid"] not in WITHOUT_A_CALL:
            yield from [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


def calls() -> set[str]:
    sources = [path.read_text() for path in (ROOT / "airflow_provider_elementary" / "storage").rglob("*.py")]
    return {next(filter(None, match.groups())) for text in sources for match in CALL.finditer(text)}


@pytest.fixture(scope="module")
def parliament() -> Iterator[Any]:
    """The validator, which finds its files by a module that setuptools 82 no longer has."""
    spec = importlib.util.find_spec("parliament")
    if spec is None or spec.origin is None:
        pytest.skip("the extra dev is not installed")
    folder = Path(spec.origin).parent
    stand_in = types.ModuleType("pkg_resources")
    stand_in.resource_filename = lambda package, name: str(folder / name)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pkg_resources", stand_in)
        yield importlib.import_module("parliament")


def test_the_validator_finds_an_action_that_does_not_exist(parliament: Any) -> None:
    wrong = policy("api-server").replace("s3:GetObject", "s3:ReadObject")

    assert [found.issue for found in parliament.analyze_policy_string(wrong).findings] == ["UNKNOWN_ACTION"]


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_parliament_finds_nothing_in_a_policy(path: Path, parliament: Any) -> None:
    document = json.loads(policy(path.stem))
    # It reads policies of identities: that of a key, a bucket or a role has principals, and is of itself.
    for statement in document["Statement"]:
        if statement.pop("Principal", None) and statement.get("Resource", "*") == "*":
            key, alias = FACTS["data_key_arn"], "arn:aws:kms:eu-central-1:123456789012:alias/elementary"
            statement["Resource"] = FACTS["airflow_arn"] if path.stem == "assume" else [key, alias]

    found = parliament.analyze_policy_string(json.dumps(document)).findings

    assert [finding.issue for finding in found] == []


def test_each_call_of_the_code_is_allowed_by_a_policy_and_no_other() -> None:
    assert {action for path in POLICIES for action in actions(path.stem)} == {RIGHTS[call] for call in calls()}


def test_no_role_has_a_wildcard_or_a_right_on_every_object() -> None:
    roles = ("writer", "creator", "analyst", "api-server", "category", "category-reader")

    assert [action for name in roles for action in actions(name) if "*" in action] == []
    assert [name for name in roles for statement in statements(name) if statement["Resource"] == "*"] == []


def test_the_role_of_the_page_can_neither_write_nor_sign() -> None:
    assert set(actions("api-server")) == {"s3:ListBucket", "s3:GetObject", "kms:Decrypt"}


def test_no_administrator_of_a_key_may_use_it_or_grant_it() -> None:
    used = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:Sign", "kms:ReEncryptFrom", "kms:CreateGrant"}
    keys = ("data-key", "category-key", "signing-key")

    administered = [found for name in keys for found in statements(name) if found["Sid"] == "AdministerWithoutUsingIt"]

    assert len(administered) == len(keys)
    assert [found for found in administered if used & set(found["Action"])] == []


def test_the_page_gives_each_action_a_reason() -> None:
    page = (ROOT / "docs" / "platforms" / "aws.md").read_text()

    assert {right for right in RIGHTS.values() if f"`{right}`" not in page} == set()
    assert {path.name for path in POLICIES if f"`{path.name}`" not in page} == set()


class TestTerraform:
    """The module is parsed and its names are followed; no provider of AWS was there to validate it with."""

    def text(self) -> str:
        return "\n".join(path.read_text() for path in sorted(FOLDER.glob("*.tf")))

    def test_every_file_is_hcl(self) -> None:
        hcl2 = pytest.importorskip("hcl2", reason="the extra dev is not installed")

        parsed = {path.name: hcl2.loads(path.read_text()) for path in FOLDER.glob("*.tf")}

        assert set(parsed) == {"main.tf", "outputs.tf", "variables.tf", "versions.tf"}

    def test_the_page_gives_the_module_only_what_it_takes(self) -> None:
        hcl2 = pytest.importorskip("hcl2", reason="the extra dev is not installed")
        [block] = [block for block in all_blocks() if block.name == "terraform-module"]

        assert hcl2.loads(block.source)
        given = set(re.findall(r"^  (\w+) += ", block.source, re.MULTILINE)) - {"source"}
        assert given <= set(re.findall(r'^variable "(\w+)"', self.text(), re.MULTILINE))

    def test_every_name_that_is_used_is_declared_and_the_other_way_round(self) -> None:
        text = self.text()
        variables = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
        resources = set(re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE))
        locals_ = set(
            re.findall(r"^  (\w+) +=", text[text.index("locals {") : text.index("# The bucket.")], re.MULTILINE)
        )

        assert set(re.findall(r"\bvar\.(\w+)", text)) == variables
        assert set(re.findall(r"\blocal\.(\w+)", text)) == locals_
        assert set(re.findall(r"\b(aws_\w+)\.(\w+)(?=[.\[])", text.replace("data.aws_", "data_"))) <= resources

    def test_each_policy_is_used_and_given_what_it_names(self) -> None:
        text = self.text()
        given = {name for name in re.findall(r"^    (\w+) += ", text, re.MULTILINE)} | {"category_key_arn"}
        named = {name for path in POLICIES for name in re.findall(r"\$\{(\w+)\}", path.read_text())}
        used = set(re.findall(r"policies/([a-z-]+)\.json", text))

        assert named == set(FACTS) <= given
        assert {path.stem for path in POLICIES} == used | {"writer", "analyst", "api-server"}
