"""The Lambda API but for calls: functions, versions, aliases, URLs, policies, layers."""
