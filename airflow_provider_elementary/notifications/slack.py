"""Sends the alerts of one incident as one thread in Slack."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseNotifier, Context

if TYPE_CHECKING:
    from airflow.providers.slack.hooks.slack import SlackHook

    from airflow_provider_elementary.alerts import Alert

_SECONDS = 30


class ElementarySlackNotifier(BaseNotifier):
    """Posts the first alert about an incident in a channel, and those that follow as replies to it.

    Needs the extra ``slack`` and a connection of type Slack API, whose token has the scope ``chat:write``: a webhook
    does not return which message it posted. A reply that Slack refuses is posted as a new message.

    :param channel: the channel of a new message, ``#data-alerts`` or an id; a reply goes where the first message is.
        (templated)
    :param slack_conn_id: the connection. (templated)
    :ivar thread: where the message was posted, for :attr:`~airflow_provider_elementary.alerts.Alert.reply_to` of the
        alerts that follow.
    """

    template_fields: Sequence[str] = ("channel", "slack_conn_id")

    def __init__(self, *, channel: str, slack_conn_id: str = "slack_api_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.slack_conn_id = slack_conn_id
        self.thread: str | None = None

    def notify(self, context: Context) -> None:
        """Post the alert of the context."""
        from slack_sdk.errors import SlackApiError

        alert: Alert = context["alert"]  # type: ignore[typeddict-item]
        hook = _hook(self.slack_conn_id)
        message: dict[str, Any] = {
            "text": escape(alert.title, quote=False),
            "blocks": alert.blocks,
            "unfurl_links": False,
        }
        if alert.reply_to:
            channel, _, first = alert.reply_to.partition("/")
            try:
                hook.call("chat.postMessage", json={**message, "channel": channel, "thread_ts": first})
            except SlackApiError as error:
                self.log.warning("Slack refused the reply to %s: %s. Posting a new message.", first, _reason(error))
            else:
                self.thread = alert.reply_to
                return
        posted = hook.call("chat.postMessage", json={**message, "channel": self.channel})
        self.thread = f"{posted['channel']}/{posted['ts']}"


def _hook(slack_conn_id: str) -> SlackHook:
    from airflow.providers.slack.hooks.slack import SlackHook
    from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

    # Slack takes about one message a second in a channel, and says how long to wait.
    handlers = [ConnectionErrorRetryHandler(), RateLimitErrorRetryHandler(max_retry_count=2)]
    return SlackHook(slack_conn_id=slack_conn_id, timeout=_SECONDS, retry_handlers=handlers)


def _reason(error: Any) -> str:
    return str(error.response.get("error"))
