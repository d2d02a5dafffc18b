//! Flow logs to flows and back: canonical CSV, Zeek conn.log.
