#!/bin/sh
# Tells that a scheduled run failed: in the journal, and by mail where KEEPWELL_ALERT_MAIL has an address.
set -eu
text="$KEEPWELL_CLIENT: $KEEPWELL_UNIT failed (${MONITOR_SERVICE_RESULT:-see its log}${MONITOR_EXIT_STATUS:+, $MONITOR_EXIT_STATUS})"
# <3> is the priority "error" (sd-daemon(3)).
echo "<3>$text. Look: journalctl --unit $KEEPWELL_UNIT"
if [ -n "${KEEPWELL_ALERT_MAIL:-}" ]; then
  {
    printf 'To: %s\nSubject: Keepwell: %s\nContent-Type: text/plain; charset=utf-8\n\n' "$KEEPWELL_ALERT_MAIL" "$text"
    journalctl --unit "$KEEPWELL_UNIT" --lines 60 --no-pager --output short-iso
  } | PATH="$PATH:/usr/sbin:/usr/lib" sendmail -t
fi
