# Makes a Debian system a host of the lab: packages at their base versions, the lab's repository as only source.
# Argument: codename. The repository is at /srv/lab.
codename=$1
cat >/usr/sbin/policy-rc.d <<X
#!/bin/sh
exit 101
X
dpkg --install /srv/lab/pool/base/*.deb >/dev/null
apt-mark hold kw-held >/dev/null
rm -f /usr/sbin/policy-rc.d /etc/apt/sources.list
cat >/etc/apt/sources.list.d/lab.sources <<X
Types: deb
URIs: http://repository.lab.invalid/apt/debian
Suites: $codename $codename-updates
Components: main
Signed-By: /usr/share/keyrings/keepwell-lab.gpg

Types: deb
URIs: http://repository.lab.invalid/apt/debian-security
Suites: $codename-security
Components: main
Signed-By: /usr/share/keyrings/keepwell-lab.gpg
X
rm -rf /var/lib/apt/lists/*
