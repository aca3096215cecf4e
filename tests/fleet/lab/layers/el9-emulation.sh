# Makes a Debian userland with real dnf look like a host of the RHEL 9 family. An emulation: kernel, libc and all
# files are Debian's; the RPM database knows the lab's packages only.
rm -rf /usr/bin/apt-get /usr/bin/apt /root/.rpmdb /etc/debian_version /etc/os-release
mkdir -p /etc/rpm /etc/yum.repos.d /etc/dnf/vars
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros # Debian's default is ~/.rpmdb
echo 9 >/etc/dnf/vars/releasever
sed -i 's/^enabled.*/enabled = false/' /etc/dnf/plugins/local.conf # else every install asks about a repository of its own
ln -s dnf-3 /usr/bin/yum
cat >/etc/os-release <<X
NAME="Keepwell EL (lab emulation)"
VERSION="9.6"
ID="keepwell-el"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.6"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Keepwell EL 9.6 (lab emulation)"
X
echo 'Red Hat Enterprise Linux release 9.6 (Keepwell lab emulation)' >/etc/redhat-release
for name in base updates; do
    cat >"/etc/yum.repos.d/kw-$name.repo" <<X
[kw-$name]
name=Keepwell lab $name
baseurl=http://repository.lab.invalid/rpm/$name
enabled=1
gpgcheck=0
X
done
rpm --install --nodeps /srv/lab/base/*.rpm
