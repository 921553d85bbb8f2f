"""Keeps a copy of all accounts in SQLite: once by pages, and from then on by the change feed."""

import os
import sqlite3
import time

import httpx
import httpx_sse

COLUMNS = ("email", "name", "role", "status", "version")

token = os.environ.get("ROLLCALL_TOKEN")
if not token:
    raise SystemExit("Set ROLLCALL_TOKEN to a service token with the scopes users:read and changes:read.")
db = sqlite3.connect(os.environ.get("COPY", "copy.db"), isolation_level=None)
db.executescript(
    """create table if not exists accounts (id integer primary key, email, name, role, status, version);
    create table if not exists position (only_row integer primary key check (only_row = 1), cursor text not null);"""
)
rollcall = httpx.Client(
    base_url=os.environ.get("ROLLCALL_URL", "http://127.0.0.1:8000"),
    headers={"Authorization": f"Bearer {token}"},
    timeout=30,
)


class Outdated(Exception):
    """The database of the service may have lost changes that we have seen: the copy begins anew."""


def get(path, **params):
    while (response := rollcall.get(path, params=params)).status_code == 429:
        time.sleep(int(response.headers["Retry-After"]))
    return response.raise_for_status().json()


def store_cursor(cursor):
    db.execute("insert or replace into position values (1, ?)", (cursor,))


def copy_all():
    """Copies all accounts. The position is taken first, so that no change is missed meanwhile."""
    position = get("/v1/changes", after="now")["nextCursor"]
    with db:
        db.execute("begin")
        db.execute("delete from accounts")
        page = {"nextCursor": None}
        while True:
            cursor = {"cursor": page["nextCursor"]} if page["nextCursor"] else {}
            page = get("/v1/users", limit=200, **cursor)
            rows = [[account[name] for name in ("id", *COLUMNS)] for account in page["items"]]
            db.executemany("insert or replace into accounts values (?, ?, ?, ?, ?, ?)", rows)
            if page["nextCursor"] is None:
                break
        store_cursor(position)
    print("copied", db.execute("select count(*) from accounts").fetchone()[0], flush=True)


def apply(change):
    """Applies a change, unless the copy is newer: the pages were read while changes happened."""
    key = (change["userId"], change["version"])
    if change["action"] == "deleted":
        db.execute("delete from accounts where id = ? and version <= ?", key)
        return
    db.execute("insert or ignore into accounts (id, version) values (?, 0)", key[:1])
    values = {name: value for name, value in (change["after"] or {}).items() if name in COLUMNS}
    values["version"] = change["version"]
    changes = ", ".join(f"{name} = ?" for name in values)
    db.execute(f"update accounts set {changes} where id = ? and version < ?", (*values.values(), *key))


def follow():
    """Follows the feed from the stored position, until the stream ends."""
    (cursor,) = db.execute("select cursor from position").fetchone()
    headers = {"Accept": "text/event-stream", "Last-Event-ID": cursor}
    # A comment comes every 15 seconds: a stream that is silent for longer is dead.
    with httpx_sse.connect_sse(rollcall, "GET", "/v1/changes", headers=headers, timeout=40) as stream:
        if stream.response.status_code == 410:
            raise Outdated
        stream.response.raise_for_status()
        for event in stream.iter_sse():
            if event.event == "outdated":
                raise Outdated
            if event.event != "change":
                continue
            # The change and its position are stored together, so that each change counts once.
            with db:
                db.execute("begin")
                apply(event.json())
                store_cursor(event.id)
            print(event.json()["action"], event.json()["userId"], flush=True)


while True:
    try:
        if db.execute("select 1 from position").fetchone() is None:
            copy_all()
        follow()
    except Outdated:
        db.execute("delete from position")
    except httpx.HTTPStatusError as error:
        if error.response.status_code in (401, 403):
            raise SystemExit(f"{error.response.status_code}: look at ROLLCALL_TOKEN and its scopes") from error
        print(error, flush=True)
    except httpx.TransportError as error:
        print("connection lost:", type(error).__name__, flush=True)
    time.sleep(1)
