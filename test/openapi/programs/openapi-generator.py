import json
import os

from openapi_client import AccountPatch, AccountsApi, ApiClient, ApiException, Configuration, HistoryApi, NewAccount

configuration = Configuration(host=os.environ["ROLLCALL_URL"], access_token=os.environ["ROLLCALL_TOKEN"])
client = ApiClient(configuration)
accounts = AccountsApi(client)
history = HistoryApi(client)

before = accounts.get_users(limit=10, total=True)

tried = accounts.post_users(NewAccount(email="grace@example.com"), dry_run=True).actual_instance

created = accounts.post_users_with_http_info(NewAccount(email="grace@example.com", name="Grace"))
account = created.data


def patch(if_match):
    body = AccountPatch(name=None, preferences={"theme": "dark"})
    return accounts.patch_users_by_id(account.id, body, if_match=if_match).actual_instance.actual_instance


patched = patch(created.headers["ETag"])
try:
    patch(created.headers["ETag"])
except ApiException as error:
    stale = [error.status, error.data.code]

[patching] = history.get_history(user_id=account.id, limit=1).items
undo_tried = history.post_history_by_id_undo(patching.id, dry_run=True).actual_instance
request_undo_tried = history.post_history_by_id_undo_request(patching.id, dry_run=True).actual_instance


def importing(dry_run):
    text = b"email,name\r\nalan@example.com,Alan\r\nada@example.com,Ada\r\n"
    report = accounts.post_users_import(text, partial=True, dry_run=dry_run, _content_type="text/csv")
    return [report.created, report.failed]


import_tried = importing(True)
imported = importing(False)

after = accounts.get_users(sort="email")

print(
    json.dumps(
        {
            "counted": before.total.count,
            "dryRun": [change.action for change in tried.changes],
            "created": {"email": account.email, "name": account.name, "roleUntil": account.role_until},
            "patched": {
                "name": patched.name,
                "preferences": patched.preferences,
                "version": patched.version,
            },
            "stale": stale,
            "undoTried": [[change.action, change.undoes == patching.id] for change in undo_tried.changes],
            "requestUndoTried": [request_undo_tried.would_undo, len(request_undo_tried.changes)],
            "importTried": import_tried,
            "imported": imported,
            "emails": [item.email for item in after.items],
        }
    )
)
