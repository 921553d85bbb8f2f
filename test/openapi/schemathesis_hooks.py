"""What Schemathesis leaves alone, and which refusals of valid requests it expects."""

import os
import re

import schemathesis
from schemathesis import GenerationMode

# The caller's account. A request must not take its rights away: nothing would be reached afterwards.
OWN_ID = int(os.environ["ROLLCALL_OWN_ID"])

# Refusals for what no schema can say, by their code.
EXPECTED_CODES = {
    # Only the service can make a cursor.
    "bad_cursor",
    "cursor_outdated",
    # They depend on what was changed or sent before.
    "precondition_failed",
    "idempotency_key_reused",
    "answer_gone",
    "erased",
    # Dry runs ignore the key, so the document does not say which ones are valid.
    "idempotency_key_invalid",
    # Percent-encoded bytes that are no UTF-8, or text without a visible character.
    "reason_invalid",
    # Text that is no email after all: the rules of domains are too long for a pattern.
    "email_invalid",
    # A code is made by a command, and works once.
    "code_invalid",
}

# Faults of an input for what no schema can say, by their path and message.
EXPECTED_FAULTS = [
    # Times that depend on today, on each other, or on what a database can store.
    (r"since|until", r"Must be at most 92 days\.|Must not be after the last day\.|Must be a day of the years .*"),
    (r"timeZone", r"Must be a time zone, such as Europe/Berlin\."),
    (r"expiresAt", r"Must be within the next \d+ years\."),
    (r"roleUntil", r"Only the role of an admin can end\.|Must be a time of the years 1970 to 9998\.|Must be in the future\."),
    # A pattern for numbers up to the largest id would be a page long.
    (r"ids", r"Must be at most 2147483647\."),
    # Unicode: text must be visible, and must not disguise itself.
    (r"name", r"Must have a visible character\.|Must not contain .*|Must not begin or end with a blank\."),
    (r".*", r"Must not contain NUL or half a surrogate pair\."),
    # The limits of preferences.
    (r"preferences.*", r".*"),
    # The lines of an upload are no part of the document.
    (r"lines.*", r".*"),
]


@schemathesis.hook
def map_case(context, case):
    """Turns what would take the caller's rights away into a dry run, or to another account."""
    path, method = case.operation.path, case.method.upper()
    if path in ("/v1/users/{id}", "/v1/users/{id}/identities/{identityId}") and method != "GET":
        if str((case.path_parameters or {}).get("id")) == str(OWN_ID):
            case.path_parameters["id"] = 1
    if path == "/v1/users/bulk" and isinstance(case.body, dict):
        ids = case.body.get("ids")
        if isinstance(ids, list) and OWN_ID in ids:
            case.body["ids"] = [1]
    if path in ("/v1/history/{id}/undo", "/v1/history/{id}/undo-request") or (path, method) == ("/v1/me", "DELETE"):
        case.query = {**(case.query or {}), "dryRun": "true"}
    return case


@schemathesis.serializer("application/x-ndjson")
def ndjson(context, value):
    """An upload as it is: text, or bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.check
def valid_requests_are_accepted(context, response, case):
    """A request that is valid by the document is refused only for what the document cannot say."""
    meta = case.meta
    if meta is None or meta.generation.mode != GenerationMode.POSITIVE:
        return
    if response.status_code not in (400, 406, 408, 412, 413, 415, 422):
        return
    problem = response.json()
    if problem["code"] in EXPECTED_CODES:
        return
    faults = problem.get("errors", [])
    unexpected = [fault for fault in faults if not is_expected(fault)]
    if faults and not unexpected:
        return
    raise AssertionError(f"refused: {response.status_code} {problem['code']}: {problem['detail']} {unexpected}")


def is_expected(fault):
    return any(
        re.fullmatch(path, fault["path"], re.S) and re.fullmatch(message, fault["message"], re.S)
        for path, message in EXPECTED_FAULTS
    )
