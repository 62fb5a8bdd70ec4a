"""The database's own refusal to change the audit ledger."""

from sqcore.base.append_only import AppendOnly

TABLES = ("sqcore_auditentry", "sqcore_auditseal")
LEDGER = AppendOnly(
    tables=TABLES,
    function="sqcore_audit_refuse",
    message="the audit ledger is never changed",
)
expected, present = LEDGER.expected, LEDGER.present
install, remove = LEDGER.install, LEDGER.remove
