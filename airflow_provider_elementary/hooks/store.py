"""Opens a store from a connection of type ``elementary_store``."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, conf
from airflow.sdk.log import mask_secret

from airflow_provider_elementary.exceptions import ConfigurationError, ConnectionNotFoundError, ElementaryError
from airflow_provider_elementary.hooks.missing import missing_connection

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Keys, Store
    from airflow_provider_elementary.snapshots.policy.choices import PolicyChoices, ResolvedPolicy
    from airflow_provider_elementary.snapshots.repository import Repository
    from airflow_provider_elementary.snapshots.store_settings import StoreSettings
    from airflow_provider_elementary.snapshots.store_setup import SigningKey

DEFAULT_STORE = "elementary_store_default"
_SECTION = "elementary"


class ElementaryStoreHook(BaseHook):
    """Opens a store of snapshots, the master keys of its categories and the key that signs.

    On S3 both layers of encryption are on: the server's, and the files' own with data keys from KMS. A local
    directory has the files' own, with master keys from the connection or from a file that it names.

    :param store_conn_id: the Airflow connection, of type ``elementary_store``.
    """

    conn_name_attr = "store_conn_id"
    default_conn_name = DEFAULT_STORE
    conn_type = "elementary_store"
    hook_name = "Elementary store"

    def __init__(self, store_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.store_conn_id = store_conn_id
        #: By service; to make one takes longer than most requests.
        self._clients: dict[str, Any] = {}

    @cached_property
    def settings(self) -> StoreSettings:
        """What the connection says.

        :raises ConnectionNotFoundError: there is no such connection.
        :raises ConfigurationError: it is of another type, or a field does not fit.
        """
        from airflow_provider_elementary.snapshots.store_settings import KEYS_FIELD, parse_store

        try:
            connection = self.get_connection(self.store_conn_id)
        except AirflowNotFoundException:
            raise ConnectionNotFoundError(
                f"{missing_connection(self.store_conn_id)} Add one of type {self.conn_type} that names the "
                "store and its keys."
            ) from None
        if connection.conn_type != self.conn_type:
            given = f"of type {connection.conn_type!r}" if connection.conn_type else "without a type"
            raise ConfigurationError(
                f"Connection {self.store_conn_id!r} is {given}. A store is a connection of type {self.conn_type}."
            )
        settings = parse_store(
            f"connection {self.store_conn_id!r}",
            _extra(connection, self.store_conn_id),
            login=connection.login,
            password=connection.password,
        )
        # Airflow masks the field as a whole, and not each key in it.
        for keys in (settings.secret_keys or {}).values():
            for key in [keys] if isinstance(keys, str) else keys:
                mask_secret(key, KEYS_FIELD)
        return settings

    @cached_property
    def repository(self) -> Repository:
        """The repository.

        :raises ConfigurationError: the connection does not name a store and how it is encrypted.
        :raises StoreRefusedError: the endpoint is not protected by verified TLS.
        """
        from airflow_provider_elementary.snapshots.repository import Repository

        if self.settings.store_id is None:
            self.log.warning(
                "connection %s pins no store_id: what is read from %s is unproved",
                self.store_conn_id,
                self.settings.uri,
            )
        return Repository(
            self.open_store(),
            self.open_keys if self.settings.has_keys else None,
            store_id=self.settings.store_id,
            signing=self.signing_key,
        )

    def resolve_policy(self, run: PolicyChoices) -> ResolvedPolicy:
        """Return the policy of a run: what the connection says, else ``[elementary]``, else what is built in.

        :param run: what the run asks for; it may only take less.
        :raises ConfigurationError: the run asks for more.
        """
        from airflow_provider_elementary.snapshots.policy import POLICY_NAMES
        from airflow_provider_elementary.snapshots.policy.choices import PolicyChoices, resolve_policy

        where = "[elementary] of Airflow's configuration"
        configured = {name: conf.get(_SECTION, name, fallback="") for name in POLICY_NAMES}
        return resolve_policy(
            run, (self.settings.name, self.settings.policy), (where, PolicyChoices.parse(configured, where))
        )

    def test_connection(self) -> tuple[bool, str]:
        """Read the store and open the keys of its newest snapshot; nothing is written, as a server may only read."""
        from airflow_provider_elementary.snapshots.store_check import describe_reading

        try:
            return True, describe_reading(self.repository)
        except ElementaryError as error:
            # The button tests under a name that Airflow makes up, and that a person has never seen.
            return False, str(error).replace(f"connection {self.store_conn_id!r}", "this connection")

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the form (Airflow before 3.2; later versions read the provider's metadata)."""
        from airflow_provider_elementary.get_provider_info import STORE_CONNECTION_FIELDS
        from airflow_provider_elementary.hooks.connection_form import form_widgets

        return form_widgets(STORE_CONNECTION_FIELDS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Name the fields of the connection form (Airflow before 3.2; later versions read the provider's metadata)."""
        from airflow_provider_elementary.get_provider_info import STORE_FIELD_BEHAVIOUR

        return {name.replace("-", "_"): value for name, value in STORE_FIELD_BEHAVIOUR.items()}

    def open_store(self) -> Store:
        """Return where the objects are, whether or not there is a store yet."""
        from airflow_provider_elementary.snapshots import open_store

        if not self.settings.is_on_s3:
            return open_store(self.settings.uri)
        return open_store(self.settings.uri, s3_client=self._client("s3"), kms_key_id=self.settings.sse_kms_key_id)

    def open_keys(self) -> Keys:
        """Return the master keys."""
        from airflow_provider_elementary.snapshots import KmsKeys

        if (local := self.settings.local_keys()) is not None:
            return local
        return KmsKeys(self._client("kms"), self.settings.kms_key_ids(), self.settings.former_kms_key_ids)

    def kms(self) -> Any:
        """Return a KMS client with the connection's credentials."""
        return self._client("kms")

    def signing_key(self) -> SigningKey | None:
        """Return the key that signs what is written, or None for a reader."""
        from airflow_provider_elementary.snapshots.store_setup import KmsKey

        if (key_id := self.settings.signing_kms_key_id) is not None:
            return KmsKey(self._client("kms"), key_id)
        return self.settings.local_signer()

    def _client(self, service: str) -> Any:
        """Return a boto3 client that is as patient as a store has to be, made once.

        :raises StoreRefusedError: credentials of a role would be asked for without TLS.
        """
        if service not in self._clients:
            aws = self.settings.aws_conn_id
            self._clients[service] = self._own_client(service) if aws is None else self._client_of(aws, service)
        return self._clients[service]

    def _client_of(self, aws_conn_id: str, service: str) -> Any:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
        from boto3.session import Session
        from botocore.exceptions import InvalidConfigError

        from airflow_provider_elementary.storage.object_store.store import limit_retries, patient_config
        from airflow_provider_elementary.storage.tls import require_tls_of_roles

        try:
            # The hook itself would fall back to whatever credentials the machine has.
            self.get_connection(aws_conn_id)
        except AirflowNotFoundException:
            raise ConnectionNotFoundError(
                f"{missing_connection(aws_conn_id)} The store's {self.settings.name} names it as aws_conn_id. Add "
                "it, or leave aws_conn_id empty to use the credentials of the environment."
            ) from None
        hook: Any = AwsBaseHook(aws_conn_id=aws_conn_id, client_type=service)
        # What the connection's config_kwargs say comes last, and so wins. Set on the hook, it also goes for STS.
        hook.conn_config.botocore_config = patient_config().merge(hook.config)
        try:
            if not self._clients:
                # The hook asks STS for a role's credentials while it makes the client, so this comes before. It would
                # ask the same STS for a client of another service.
                require_tls_of_roles(
                    Session(**hook.conn_config.session_kwargs),
                    config=hook.conn_config.botocore_config,
                    endpoint_url=hook.conn_config.get_service_endpoint_url("sts", sts_connection_assume=True),
                )
            return limit_retries(hook.get_client_type(region_name=hook.region_name))
        except InvalidConfigError:
            raise ConfigurationError(
                f"No client of AWS {service} can be made with connection {aws_conn_id!r}: its verify, or "
                "AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE of the environment, is empty. Name the file of an authority, or "
                "leave it out."
            ) from None

    def _own_client(self, service: str) -> Any:
        from boto3.session import Session
        from botocore.exceptions import BotoCoreError

        from airflow_provider_elementary.storage.object_store.store import limit_retries, patient_config
        from airflow_provider_elementary.storage.tls import require_tls_of_roles

        settings = self.settings
        try:
            session = Session(settings.access_key_id, settings.secret_access_key, region_name=settings.region_name)
            if not self._clients:
                require_tls_of_roles(session, config=patient_config())
            return limit_retries(
                session.client(
                    service, endpoint_url=settings.endpoint_url, verify=settings.verify, config=patient_config()
                )
            )
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError(
                f"No client of AWS {service} can be made with {settings.name} ({type(error).__name__}). Name "
                "region_name, or an AWS connection in aws_conn_id."
            ) from None


def configured_stores() -> list[str]:
    """Return the connections that ``[elementary] stores`` names, in their order."""
    names = str(conf.get(_SECTION, "stores", fallback="") or "").split(",")
    return list(dict.fromkeys(name.strip() for name in names if name.strip()))


def configured_address(name: str) -> str:
    """Return an option that is an address; any other text is not one to follow."""
    text = str(conf.get(_SECTION, name, fallback="") or "").strip()
    return text if text.lower().startswith(("https://", "http://")) else ""


def suggested_stores() -> list[str]:
    """Return the stores that a form suggests: those configured, or the connection that everything uses by default."""
    return configured_stores() or [DEFAULT_STORE]


def _extra(connection: Any, conn_id: str) -> dict[str, Any]:
    """Return the extra of a connection; text that is no JSON object is refused, and not quoted."""
    extra = connection.extra_dejson
    is_empty = not connection.extra or connection.extra.strip() in ("", "{}", "null")
    if not isinstance(extra, dict) or not (extra or is_empty):
        raise ConfigurationError(f"The extra of connection {conn_id!r} is no JSON object. Write its fields as one.")
    return extra
