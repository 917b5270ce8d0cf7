"""Lists the causes of failed logins and how servers signal them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class LoginCause:
    """One cause of a failed login.

    :param fact: what is wrong, without a full stop; may name ``place``, ``user``, ``database``, ``role``, ``module``.
    :param remedy: what to do, in sentences.
    :param permanent: a retry cannot help, and may lock the account.
    """

    fact: str
    remedy: str
    permanent: bool


CAUSES: Mapping[str, LoginCause] = MappingProxyType(
    {
        # The way to the server.
        "host": LoginCause(
            "the host name does not resolve",
            "Correct the host of the connection, or let the worker's DNS resolve it.",
            False,
        ),
        "ipv6": LoginCause(
            "the driver of this warehouse cannot use an IPv6 address",
            "Name the host by a name or an address of IPv4.",
            True,
        ),
        "refused": LoginCause(
            "nothing accepts connections there",
            "Check host and port, that the server runs, and that a firewall lets the worker through.",
            False,
        ),
        "route": LoginCause(
            "this worker has no network route to it",
            "Open the network between. Where the host has only an IPv6 address, give the workers IPv6, or use a host "
            "name with an IPv4 address.",
            False,
        ),
        "timeout": LoginCause(
            "there was no answer in time",
            "Check host and port, and that firewalls and security groups let the worker through.",
            False,
        ),
        "closed": LoginCause(
            "the server closed the connection during the login",
            "Check that the port is the warehouse's own; the server's log has the reason.",
            False,
        ),
        "protocol": LoginCause(
            "what answers there is not this kind of warehouse",
            "Correct the port or the type of the connection.",
            True,
        ),
        "socket": LoginCause(
            "there is no such local socket",
            "Correct the directory in the host field, or start the server.",
            False,
        ),
        # TLS.
        "certificate": LoginCause(
            "the server's certificate cannot be verified",
            "Trust the authority that signed it (sslrootcert of the connection, or REQUESTS_CA_BUNDLE).",
            True,
        ),
        "authority": LoginCause(
            "the server's certificate is signed by an authority that the connection does not trust",
            "Trust that authority (sslrootcert of the connection, or REQUESTS_CA_BUNDLE).",
            True,
        ),
        "other name": LoginCause(
            "the server's certificate is for another host name",
            "Name the host as its certificate does, or have a certificate issued for this name.",
            True,
        ),
        "certificate expired": LoginCause(
            "the server's certificate has expired or is not valid yet",
            "Renew it on the server, and check the worker's clock.",
            True,
        ),
        "certificate revoked": LoginCause(
            "the server's certificate has been revoked", "Have a new one issued for the server.", True
        ),
        "no tls": LoginCause(
            "the server does not offer TLS",
            "Enable TLS on the server. A weaker sslmode logs in, and fails the access check.",
            True,
        ),
        "tls": LoginCause(
            "the TLS handshake failed",
            "Check that server and worker share a TLS version (1.2 or newer), and that the port is the warehouse's.",
            False,
        ),
        "authority file": LoginCause(
            "the file of trusted authorities (sslrootcert) is missing or holds no certificate",
            "Correct the path; the file has to be on every worker, in PEM.",
            True,
        ),
        "file": LoginCause(
            "a file that the connection names is missing or cannot be read",
            "Correct the path of the key or certificate; the file has to be readable on every worker.",
            True,
        ),
        "client certificate": LoginCause(
            "the server does not accept the client's certificate",
            "Set sslcert and sslkey to a certificate that it trusts and that belongs to the user.",
            True,
        ),
        # Who logs in.
        "password": LoginCause(
            "the server refused {user} or its password",
            "Correct the login or the password of the connection. Where the server does not say more, the password "
            "may also have expired, or there is no such user.",
            True,
        ),
        "no password": LoginCause(
            "the server asks for a password and the connection has none",
            "Set the password of the connection.",
            True,
        ),
        "unknown user": LoginCause("there is no such {user}", "Correct the login of the connection.", True),
        "no login": LoginCause(
            "{user} may not log in", "Give it the right to: ALTER ROLE … LOGIN; or use another user.", True
        ),
        "locked": LoginCause(
            "the account of {user} is locked or disabled",
            "Have an administrator unlock it, and correct the password first if it is what locked it.",
            True,
        ),
        "password expired": LoginCause(
            "the password of {user} has expired",
            "Set a new one, or use key-pair login, and update the connection.",
            True,
        ),
        "token": LoginCause(
            "the server refused the token: it is invalid or has expired",
            "Issue a new one and update the connection.",
            True,
        ),
        "key pair": LoginCause(
            "the server refused the key pair of {user}",
            "Check that the user has this key's public half (RSA_PUBLIC_KEY), that account and login are right, and "
            "that the worker's clock is.",
            True,
        ),
        "private key": LoginCause(
            "the private key of the connection cannot be opened",
            "Check that it is a PEM key, and that the password of the connection is its passphrase.",
            True,
        ),
        "second factor": LoginCause(
            "{user} needs a second factor, which a task cannot give",
            "Use a service user that logs in by key pair or token.",
            True,
        ),
        "method": LoginCause(
            "the server does not accept this way of logging in",
            "Correct the authenticator of the connection, or let the server accept it for this user.",
            True,
        ),
        "role": LoginCause(
            "{role} does not exist or is not granted to {user}",
            "Grant it, or correct the role of the connection.",
            True,
        ),
        "rule": LoginCause(
            "the server's access rules admit no login like this: by {user} to {database} from this address, with or "
            "without TLS as the connection asks",
            "Let the worker's address in (pg_hba.conf, or the allow-list of the provider), or correct these fields.",
            True,
        ),
        "address": LoginCause(
            "the server admits no login from this worker's address",
            "Add the address to the network policy or allow-list.",
            True,
        ),
        "denied": LoginCause(
            "the server refused {user}", "Check that this user may log in, and by what method it does.", True
        ),
        "iam": LoginCause(
            "AWS gave no credentials for {user}",
            "Let the worker's AWS identity make a login token, or turn `iam` off and set a password.",
            True,
        ),
        # What it logs in to.
        "database": LoginCause(
            "{database} does not exist", "Correct the database of the connection, or the argument `database`.", True
        ),
        "database denied": LoginCause(
            "{user} may not connect to {database}", "GRANT CONNECT ON DATABASE … to its role.", True
        ),
        "database closed": LoginCause(
            "{database} accepts no connections now", "Allow them: ALTER DATABASE … ALLOW_CONNECTIONS true.", False
        ),
        "account": LoginCause(
            "there is no such account, or it does not admit this client",
            "Correct the account identifier of the connection, as in myorg-myaccount.",
            True,
        ),
        "warehouse": LoginCause(
            "the database, schema or virtual warehouse of the connection does not exist or is not granted",
            "Correct the name, or grant USAGE on it to the role.",
            True,
        ),
        # How the server is.
        "too many": LoginCause(
            "the server has no connection free for {user}",
            "Retry later; raise max_connections or the role's CONNECTION LIMIT where it happens again.",
            False,
        ),
        "starting": LoginCause("the server is starting up or shutting down", "Retry in some minutes.", False),
        "unavailable": LoginCause("the service is not available now", "Retry in some minutes.", False),
        "cancelled": LoginCause(
            "the server cancelled the queries that a login begins with",
            "The statement_timeout of the role is too short for the driver to read the system catalog, or a lock "
            "blocks it: set it with ALTER ROLE … SET statement_timeout = '60s'.",
            False,
        ),
        "standby": LoginCause(
            "the server is not of the kind that target_session_attrs asks for",
            "Correct target_session_attrs, or name another host.",
            True,
        ),
        # The worker's side.
        "driver": LoginCause(
            "the Python module {module} is not installed on this worker",
            "Install the Airflow provider of this warehouse with its driver.",
            True,
        ),
        "option": LoginCause(
            "a field of the connection has a value that the driver does not know",
            "Correct the port, and in the extra sslmode, TLS versions, time-outs and keepalives.",
            True,
        ),
        "setting": LoginCause(
            "the server refuses a setting that the login asks for",
            "Correct `options` in the connection's extra: the name and the value of each setting. The user must have "
            "the right to set it.",
            True,
        ),
        "unknown": LoginCause(
            "the driver reports a failure that it does not name",
            "Check user, secret, database and TLS settings of the connection; the server's log says why it refused.",
            False,
        ),
    }
)

#: What PostgreSQL and its relatives say by SQLSTATE.
BY_SQLSTATE: Mapping[str, LoginCause] = MappingProxyType(
    {
        "28P01": CAUSES["password"],
        "28000": CAUSES["denied"],
        "3D000": CAUSES["database"],
        "42501": CAUSES["database denied"],
        "55000": CAUSES["database closed"],
        "53300": CAUSES["too many"],
        "57P03": CAUSES["starting"],
        "57P01": CAUSES["starting"],
        "57P02": CAUSES["starting"],
        "57014": CAUSES["cancelled"],
        "08P01": CAUSES["protocol"],
    }
)

#: Error numbers of Snowflake's services and connector, of SQL Server, MySQL's protocol and ClickHouse.
BY_DRIVER_NUMBER: Mapping[int, LoginCause] = MappingProxyType(
    {
        **dict.fromkeys((390100, 516, 193, 192, 18456, 1045), CAUSES["password"]),
        **dict.fromkeys((390101, 390102, 18486, 3118), CAUSES["locked"]),
        **dict.fromkeys((390106, 390140, 18487, 18488, 1862, 1820), CAUSES["password expired"]),
        **dict.fromkeys((390144, *range(394300, 394307)), CAUSES["key pair"]),
        **dict.fromkeys((390110, 390195, 390303, 390318, 394400, 394401, 394402, 251010), CAUSES["token"]),
        **dict.fromkeys((390120, 390122, 390123, 390126, 390127, 390129, 390132, 390197), CAUSES["second factor"]),
        **dict.fromkeys((390135, 390139, 390192, 390202), CAUSES["method"]),
        **dict.fromkeys((390186, 390189), CAUSES["role"]),
        **dict.fromkeys((390420, 390422, 390429), CAUSES["address"]),
        **dict.fromkeys((390201, 390203), CAUSES["warehouse"]),
        **dict.fromkeys((390198, 390199, 251001, 251009), CAUSES["account"]),
        **dict.fromkeys((4060, 81, 1049), CAUSES["database"]),
        **dict.fromkeys((251008,), CAUSES["private key"]),
        **dict.fromkeys((251006,), CAUSES["no password"]),
        **dict.fromkeys((1040, 202), CAUSES["too many"]),
        **dict.fromkeys((254006,), CAUSES["certificate revoked"]),
    }
)

#: OpenSSL's codes of why a certificate does not verify (X509_V_ERR_*).
BY_VERIFY_CODE: Mapping[int, LoginCause] = MappingProxyType(
    {
        **dict.fromkeys((2, 18, 19, 20, 21, 24, 26), CAUSES["authority"]),
        **dict.fromkeys((9, 10), CAUSES["certificate expired"]),
        23: CAUSES["certificate revoked"],
        **dict.fromkeys((62, 64), CAUSES["other name"]),
    }
)

#: What services behind HTTP answer.
BY_HTTP_STATUS: Mapping[int, LoginCause] = MappingProxyType(
    {
        401: CAUSES["password"],
        403: CAUSES["denied"],
        404: CAUSES["account"],
        407: CAUSES["address"],
        **dict.fromkeys((429, 502, 503, 504), CAUSES["unavailable"]),
    }
)


def _phrases(*pairs: tuple[str, str]) -> Sequence[tuple[re.Pattern[str], LoginCause]]:
    return tuple((re.compile(phrase), CAUSES[cause]) for phrase, cause in pairs)


#: Phrases in lower case, the most exact first, for drivers that pass on no number: libpq gives none for a login.
BY_TEXT: Sequence[tuple[re.Pattern[str], LoginCause]] = _phrases(
    (r"could not translate host name|name or service not known|nodename nor servname|getaddrinfo", "host"),
    (r"nameresolutionerror|failed to resolve", "host"),
    (r"certificate for .* does not match host name|hostname mismatch|doesn't match", "other name"),
    (r"certificate has expired|certificate is not yet valid", "certificate expired"),
    (r"certificate revoked", "certificate revoked"),
    (r"alert (certificate required|bad certificate|unknown ca)", "client certificate"),
    (r"certificate authentication failed", "client certificate"),
    (r"self[- ]signed certificate|unable to get (local )?issuer certificate|unknown ca\b", "authority"),
    (r"certificate verify failed|certificate_verify_failed", "certificate"),
    (r"root certificate file|could not load root certificate|load_verify_locations", "authority file"),
    (r"(certificate|private key) file .* (does not exist|has group or world)", "file"),
    (r"could not (open|read|load) (certificate|private key) file", "file"),
    (r"server does not support ssl|server refuses ssl|server doesn't support (ssl|tls)", "no tls"),
    (r"invalid response to (ssl|gssapi) negotiation|invalid message type|expected authentication", "protocol"),
    (r"unsupported frontend protocol|wrong version number|http request", "protocol"),
    (r"no pg_hba\.conf entry|pg_hba\.conf rejects", "rule"),
    (r"no password supplied|no password was provided|password is empty", "no password"),
    (r"password (has |is |was )?(expired|must be changed)|must change (your |the )?password", "password expired"),
    (r"temporarily locked|account (is |has been )?locked|user access disabled|(user|account) is disabled", "locked"),
    (r"not permitted to log ?in|not allowed to log ?in", "no login"),
    (r"too many (connections|clients|sessions)|remaining connection slots", "too many"),
    (r"jwt token is invalid|invalid jwt", "key pair"),
    (r"(oauth|access) token.*(invalid|expired)|invalid.*(oauth|access) token", "token"),
    (r"multi-factor|mfa authentication|\bduo\b", "second factor"),
    (r"is not allowed to access|network policy", "address"),
    (r"role .* specified in the connect string", "role"),
    (r"verify the account name is correct", "account"),
    (r"unable to locate credentials|partial credentials|getclustercredentials|generatedbauthtoken", "iam"),
    (r"(authentication|login) failed|incorrect username or password", "password"),
    (r"invalid (username|user name|credentials)|access denied for user", "password"),
    (r"permission denied for database", "database denied"),
    (r"not currently accepting connections", "database closed"),
    (r"(database|catalog) .* does not exist|no such database|unknown (database|catalog)", "database"),
    (r"(role|user) .* does not exist|no such user", "unknown user"),
    (r"starting up|shutting down|in recovery mode|not yet accepting", "starting"),
    (r"canceling statement|statement timeout", "cancelled"),
    (r"hot standby|session is (not )?read-only|server is not in", "standby"),
    (r"invalid (\w+|\"\w+\"|\w+ value for connection option \"\w+\") value", "option"),
    (r"invalid (integer )?value .* connection option|invalid connection option|invalid uri|invalid port", "option"),
    (
        r"could not deserialize key|unable to load pem|bad decrypt|incorrect password|password was not given",
        "private key",
    ),
    (r"private key", "private key"),
    (
        r"invalid value for parameter|unrecognized configuration parameter|permission denied to set|requires a value",
        "setting",
    ),
    (r"network is unreachable|no route to host|cannot assign requested address", "route"),
    (r"connection refused|actively refused", "refused"),
    (r"timeout expired|timed? ?out", "timeout"),
    (r"\.s\.pgsql\.\d+.* failed: no such file", "socket"),
    (r"closed the connection|connection reset|broken ?pipe|unexpected eof|server socket closed", "closed"),
    (r"ssl error|tlsv1|ssl routines|no protocols available|handshake", "tls"),
    (r"service is unavailable|bad gateway", "unavailable"),
)
