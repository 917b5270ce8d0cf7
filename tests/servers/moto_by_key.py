"""Runs moto's server with AWS's rules for conditional writes and for deleting many objects.

Of two conditional writes at once AWS lets one win; moto looks first and writes then, so that both may. Here objects are
written one at a time.

AWS asks for ``s3:DeleteObject`` on each object that a request names, moto for it on the bucket, so that a policy on a
prefix allows none. Here each object is asked for; where one is denied none is deleted; AWS deletes the rest.
``python -m tests.servers.moto_by_key`` takes the options of ``moto.server``.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import xmltodict
from moto.s3.exceptions import S3ClientError
from moto.s3.responses import S3Response
from moto.server import main

_delete_keys = S3Response._bucket_response_delete_keys
_put_object = S3Response.put_object
_WRITING = Lock()


def put_object_one_at_a_time(response: S3Response) -> Any:
    """Answer a request that writes an object."""
    with _WRITING:
        return _put_object(response)


def delete_if_each_is_allowed(response: S3Response, bucket_name: str, authenticated: bool = True) -> Any:
    """Answer a request that deletes many objects of a bucket."""
    try:
        for named in xmltodict.parse(response.body, force_list=("Object",))["Delete"]["Object"]:
            response._authenticate_and_authorize_s3_action(bucket_name=bucket_name, key_name=named["Key"])
    except S3ClientError:
        return _delete_keys(response, bucket_name, authenticated=False)
    return _delete_keys(response, bucket_name, authenticated=True)


if __name__ == "__main__":
    setattr(S3Response, _put_object.__name__, put_object_one_at_a_time)
    setattr(S3Response, _delete_keys.__name__, delete_if_each_is_allowed)
    main()
