"""A record of `recall.requests` as a call that can be answered."""

from __future__ import annotations

from typing import NamedTuple

from index_service.reply_headers import ReplyAddress, SkipReason, deadline_ms, reply_address
from index_service.users import User
from schemas.codec import Decoder, Headers, content_type
from schemas.errors import DecodeError
from schemas.recall import ErrorDetail, RecallRequest

_decoder: Decoder[RecallRequest] = Decoder(RecallRequest)


class Call(NamedTuple):
    """One request and all that its reply needs."""

    address: ReplyAddress
    form: str
    """Content type of the request, so also of the reply."""
    request: RecallRequest | ErrorDetail
    """What is asked, or why that can't be told."""
    sent_ms: int
    deadline_ms: int

    @property
    def asked(self) -> RecallRequest | None:
        """What is asked, if that can be told."""
        return self.request if isinstance(self.request, RecallRequest) else None


class Caller(NamedTuple):
    """A call, and who it is for."""

    call: Call
    user: User | None
    """See `UserReader.read`."""


def read_call(
    value: bytes | None, headers: Headers, sent_ms: int, namespace: str, patience_ms: int
) -> Call | SkipReason:
    """The call in a record, or why nobody can be answered; never raises.

    Without a deadline of its own a call has `patience_ms` from `sent_ms` on.
    """
    address = reply_address(headers, namespace)
    if not isinstance(address, ReplyAddress):
        return address
    form = content_type(headers)
    deadline = deadline_ms(headers, sent_ms + patience_ms)
    if isinstance(deadline, ErrorDetail):
        return Call(address, form, deadline, sent_ms, sent_ms + patience_ms)
    return Call(address, form, _read_request(value, form), sent_ms, deadline)


def _read_request(value: bytes | None, form: str) -> RecallRequest | ErrorDetail:
    try:
        return _decoder.decode(value or b"", form)
    except DecodeError as error:
        return ErrorDetail(
            f"the value must be a recall request in {form}",
            str(error),
            "see the RecallRequest schema, and set the content-type header",
        )
