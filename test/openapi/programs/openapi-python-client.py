import json
import os
from io import BytesIO

from client import AuthenticatedClient
from client.api.accounts import get_users, patch_users_by_id, post_users, post_users_import
from client.api.history import get_history, post_history_by_id_undo, post_history_by_id_undo_request
from client.models import Account, AccountPage, AccountPatch, ChangePage, DryRun, GetUsersSort, ImportReport
from client.models import NewAccount, Preferences, Problem, UndoDryRun
from client.types import File

client = AuthenticatedClient(base_url=os.environ["ROLLCALL_URL"], token=os.environ["ROLLCALL_TOKEN"])

before = get_users.sync(client=client, limit=10, total=True)
assert isinstance(before, AccountPage)

tried = post_users.sync(client=client, body=NewAccount(email="grace@example.com"), dry_run=True)
assert isinstance(tried, DryRun)

created = post_users.sync_detailed(client=client, body=NewAccount(email="grace@example.com", name="Grace"))
account = created.parsed
assert isinstance(account, Account)


def patch(if_match):
    body = AccountPatch(name=None, preferences=Preferences.from_dict({"theme": "dark"}))
    return patch_users_by_id.sync(account.id, client=client, body=body, if_match=if_match)


patched = patch(created.headers["ETag"])
assert isinstance(patched, Account)
stale = patch(created.headers["ETag"])
assert isinstance(stale, Problem)

changes = get_history.sync(client=client, user_id=account.id, limit=1)
assert isinstance(changes, ChangePage)
[patching] = changes.items
undo_tried = post_history_by_id_undo.sync(patching.id, client=client, dry_run=True)
assert isinstance(undo_tried, DryRun)
request_undo_tried = post_history_by_id_undo_request.sync(patching.id, client=client, dry_run=True)
assert isinstance(request_undo_tried, UndoDryRun)


def importing(dry_run):
    text = b"email,name\r\nalan@example.com,Alan\r\nada@example.com,Ada\r\n"
    body = File(payload=BytesIO(text))
    report = post_users_import.sync(client=client, body=body, partial=True, dry_run=dry_run)
    assert isinstance(report, ImportReport)
    return [report.created, report.failed]


import_tried = importing(True)
imported = importing(False)

after = get_users.sync(client=client, sort=GetUsersSort.EMAIL)
assert isinstance(after, AccountPage)

print(
    json.dumps(
        {
            "counted": before.total.count,
            "dryRun": [change.action for change in tried.changes],
            "created": {"email": account.email, "name": account.name, "roleUntil": account.role_until},
            "patched": {
                "name": patched.name,
                "preferences": patched.preferences.to_dict(),
                "version": patched.version,
            },
            "stale": [stale.status, stale.code],
            "undoTried": [[change.action, change.undoes == patching.id] for change in undo_tried.changes],
            "requestUndoTried": [request_undo_tried.would_undo, len(request_undo_tried.changes)],
            "importTried": import_tried,
            "imported": imported,
            "emails": [item.email for item in after.items],
        }
    )
)
