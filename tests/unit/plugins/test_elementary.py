"""The plugin of the Elementary page."""

from __future__ import annotations

import sys

import pytest
from fastapi import HTTPException

from airflow_provider_elementary.page.app import refuse_everybody
from airflow_provider_elementary.plugins.elementary import authorization


@pytest.mark.parametrize(
    "module",
    ["airflow.api_fastapi.auth.managers.models.resource_details", "airflow.api_fastapi.core_api.security"],
)
def test_without_airflows_authorization_nobody_may_see_the_page(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    assert authorization() == (refuse_everybody, refuse_everybody)


def test_a_refused_request_is_answered_with_503() -> None:
    with pytest.raises(HTTPException) as refused:
        refuse_everybody()

    assert refused.value.status_code == 503
