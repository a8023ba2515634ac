"""The server's settings that matter to a run or to who watches indexes, each with why."""

from typing import Mapping

WHY: Mapping[str, str] = {
    "maintenance_work_mem": "an index build sorts in as much, then on disk",
    "max_parallel_maintenance_workers": "so many help to build an index",
    "max_worker_processes": "and are taken from these",
    "max_locks_per_transaction": "what is new is made in one transaction, with a lock for each",
    "max_connections": "a run takes two of them, and two for each of PARALLEL",
    "statement_timeout": "a run lifts it for itself; behind a pooler it cannot",
    "lock_timeout": "a run sets its own: LOCK_TIMEOUT",
    "idle_in_transaction_session_timeout": "a run lifts it for the transaction of its lock",
    "default_transaction_read_only": "a brake: a run warns, and writes all the same",
    "client_connection_check_interval": "how soon the server ends what a killed run has begun",
    "autovacuum": "what else counts dead rows and analyzes",
    "track_counts": "what counts scans and dead rows",
    "wal_level": "logical: replica identities matter",
    "max_wal_size": "a large build or backfill makes checkpoints beyond it",
    "shared_buffers": "what is in it need not be read",
    "random_page_cost": "on an SSD 1.1 lets the planner take an index sooner",
    "DateStyle": "how the server reads a text as a date, unless a run says the shape",
    "TimeZone": "how the server reads a time without a zone",
}
