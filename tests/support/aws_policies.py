"""Fills in the IAM policies of deploy/aws."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

FOLDER = Path(__file__).parents[2] / "deploy" / "aws"
POLICIES = sorted((FOLDER / "policies").glob("*.json"))
#: What the policies name, as in an account that does not exist.
FACTS = {
    "account_id": "123456789012",
    "name": "elementary",
    "bucket": "my-bucket",
    "prefix": "elementary",
    "airflow_arn": "arn:aws:iam::123456789012:role/airflow",
    "writer_arn": "arn:aws:iam::123456789012:role/elementary-writer",
    "analyst_arn": "arn:aws:iam::123456789012:role/elementary-analyst",
    "api_server_arn": "arn:aws:iam::123456789012:role/elementary-api-server",
    "data_key_arn": "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000",
    "signing_key_arn": "arn:aws:kms:eu-central-1:123456789012:key/11111111-1111-1111-1111-111111111111",
    "category_key_arn": "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222",
}


def policy(name: str, facts: Mapping[str, str] = FACTS) -> str:
    """Return a policy, as Terraform's ``templatefile`` fills it in."""
    return Template((FOLDER / "policies" / f"{name}.json").read_text()).substitute(facts)
