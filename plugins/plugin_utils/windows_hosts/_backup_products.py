# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: by what backup products and databases are known on Windows."""

from __future__ import annotations

# Services of agents whose schedule lives on a server elsewhere or in the product itself.
AGENTS = {
    "veeamendpointbackupsvc": "Veeam Agent",
    "acronis_mms": "Acronis",
    "mms": "Acronis",
    "backup service controller": "Cove Data Protection",
    "urbackupclientbackend": "UrBackup",
    "bacula-fd": "Bacula",
    "bareos-fd": "Bareos",
    "macriumservice": "Macrium Reflect",
    "backupexecagentaccelerator": "Backup Exec",
    "obengine": "Azure Backup",
    "datto backup agent service": "Datto",
    "shadowprotectsvc": "ShadowProtect",
    "cobianbackup11": "Cobian Backup",
    "cobian reflector": "Cobian Reflector",
    "comet backup (delegate service)": "Comet",
    "backup.delegate": "Comet",
    "altaro.agent": "Hornetsecurity VM Backup",
    "nakivo-transporter": "NAKIVO",
    "tsm client scheduler": "IBM Storage Protect",
}
# Program -> database system.
DATABASES = {
    "sqlservr": "mssql",
    "mysqld": "mysql",
    "mariadbd": "mysql",
    "postgres": "postgresql",
    "mongod": "mongodb",
    "redis-server": "redis",
}
# Program or command -> the database system that it dumps.
DUMPS = {
    "pg_dump": "postgresql",
    "pg_dumpall": "postgresql",
    "pg_basebackup": "postgresql",
    "mysqldump": "mysql",
    "mariadb-dump": "mysql",
    "mariabackup": "mysql",
    "xtrabackup": "mysql",
    "mongodump": "mongodb",
    "sqlcmd": "mssql",
    "backup-sqldatabase": "mssql",
    "backup-dbadatabase": "mssql",
}
