"""Where a run's end is told: a webhook, Slack or anything that takes its JSON, e-mail.

    TANDEM_NOTIFY_WEBHOOK   https://...: the message as JSON, by POST
    TANDEM_NOTIFY_SLACK     https://...: {"text": ...}, as Slack, Mattermost and others take it
    TANDEM_NOTIFY_EMAIL     smtps://USER:PASSWORD@HOST:PORT?from=A&to=B,C, or smtp:// for STARTTLS
    TANDEM_NOTIFY_ON        which ends, of released, stopped, failed; all by default
    TANDEM_RUN_LINK         a page of the run, with {run} for its id, {platform_run} for KFP's

Rules: addresses come from the environment, because they are secrets; a channel that fails is tried
again once and then named in the run's closing record, by its kind of error and nothing of the
address; it never fails a run. Without TLS a message goes to the loopback address alone.
"""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.message import EmailMessage
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from components.core.stage_identity import PLATFORM_RUN_VARIABLE
from components.seal_run.news import EVENTS, News

PREFIX = "TANDEM_NOTIFY_"
ON_VARIABLE, LINK_VARIABLE = f"{PREFIX}ON", "TANDEM_RUN_LINK"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TIMEOUT_SECONDS = 10.0
_ATTEMPTS = 2


class NotTold(Exception):
    """Why a channel did not take a message, in words that may be recorded."""


@dataclass(frozen=True)
class Told:
    """What became of a message on one channel; `error` is None where it was taken."""

    channel: str
    error: str | None = None

    def to_fact(self) -> dict[str, Any]:
        """Return it for the record."""
        return {"channel": self.channel, "sent": self.error is None} | (
            {} if self.error is None else {"error": self.error}
        )


def link_of(run: str, platform_run: str | None = None) -> str | None:
    """Return the address of a run's page, where one is known; KFP's is this pod's run if None."""
    given = os.environ.get(LINK_VARIABLE)
    platform_run = platform_run or os.environ.get(PLATFORM_RUN_VARIABLE, "")
    return given.replace("{run}", run).replace("{platform_run}", platform_run) if given else None


def told_of(news: News) -> dict[str, Any]:
    """Send the news, and return what a closing record says of that."""
    told = [item.to_fact() for item in tell(news)]
    return {"notifications": told} if told else {}


def tell(news: News) -> list[Told]:
    """Send the news to every channel that the environment names and that wants it."""
    wanted = os.environ.get(ON_VARIABLE, ",".join(EVENTS)).replace(" ", "").split(",")
    if news.event not in wanted:
        return []
    named = {name: os.environ.get(f"{PREFIX}{name.upper()}") for name in _CHANNELS}
    return [_told(name, address, news) for name, address in named.items() if address]


def _told(channel: str, address: str, news: News) -> Told:
    """Return what became of the news on a channel."""
    error = ""
    for _ in range(_ATTEMPTS):
        try:
            _CHANNELS[channel](urlsplit(address), address, news)
        except NotTold as refused:
            error = str(refused)
        except (
            OSError,
            ValueError,
            smtplib.SMTPException,
        ) as failed:  # of the address, or on the way
            error = type(failed).__name__
        else:
            return Told(channel)
    return Told(channel, error)


def _webhook(url: SplitResult, address: str, news: News) -> None:
    _post(url, address, news.to_dict())


def _slack(url: SplitResult, address: str, news: News) -> None:
    text = news.to_text()
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, entity)  # https://api.slack.com/reference/surfaces/formatting
    _post(url, address, {"text": text})


def _post(url: SplitResult, address: str, value: Mapping[str, Any]) -> None:
    import requests

    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
        raise NotTold("the address is not https://")
    answer = requests.post(address, json=value, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    if not answer.ok or answer.is_redirect:
        raise NotTold(f"HTTP status {answer.status_code}")


def _email(url: SplitResult, address: str, news: News) -> None:
    asked = parse_qs(url.query)
    if url.scheme not in ("smtp", "smtps") or not url.hostname or {"from", "to"} - asked.keys():
        raise NotTold("the address is not smtps://USER:PASSWORD@HOST:PORT?from=A&to=B")
    message = _message(asked["from"][0], asked["to"][0], news)
    context = ssl.create_default_context()
    secure = url.scheme == "smtps"
    server: smtplib.SMTP = (
        smtplib.SMTP_SSL(url.hostname, url.port or 465, timeout=TIMEOUT_SECONDS, context=context)
        if secure
        else smtplib.SMTP(url.hostname, url.port or 587, timeout=TIMEOUT_SECONDS)
    )
    with server:
        if not secure and url.hostname not in LOOPBACK:
            server.starttls(context=context)
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)


def _message(sender: str, receivers: str, news: News) -> EmailMessage:
    """Return the letter; NotTold for addresses that are none.

    The standard library's parser raises these for them, on writing them as on reading them back.
    """
    message = EmailMessage()
    try:
        message["Subject"], message["From"], message["To"] = news.title, sender, receivers
        message.set_content(news.to_text())
        boxes = [box for name in ("From", "To") for box in message[name].addresses]
    except (IndexError, AttributeError, TypeError, ValueError, MessageError):
        boxes = []
    if not boxes or not all(box.username and box.domain for box in boxes):
        raise NotTold("from or to is no list of mail addresses")
    return message


_CHANNELS: Mapping[str, Callable[[SplitResult, str, News], None]] = {
    "webhook": _webhook,
    "slack": _slack,
    "email": _email,
}
