#!/bin/sh
# Tells ansible-playbook the vault password of a client: from systemd's credential, with cron from a file.
exec cat -- "${KEEPWELL_VAULT_FILE:-${CREDENTIALS_DIRECTORY:?is not set: this is for scheduled runs}/vault}"
