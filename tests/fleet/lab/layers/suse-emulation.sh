# Makes a Debian userland with real zypper look like a host of the SUSE family. An emulation: kernel, libc and all
# files are Debian's; the RPM database knows the lab's packages only.
rm -rf /usr/bin/apt-get /usr/bin/apt /root/.rpmdb /etc/debian_version /etc/os-release
mkdir -p /etc/rpm /etc/zypp/repos.d
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros # Debian's default is ~/.rpmdb
cat >/etc/os-release <<X
NAME="Keepwell SUSE (lab emulation)"
VERSION="15.6"
ID="keepwell-suse"
ID_LIKE="suse opensuse"
VERSION_ID="15.6"
PRETTY_NAME="Keepwell SUSE 15.6 (lab emulation)"
X
# Without it libzypp makes a product out of the first line of os-release, and misses a package for it.
mkdir -p /etc/products.d
cat >/etc/products.d/keepwell.prod <<X
<?xml version="1.0" encoding="UTF-8"?>
<product schemeversion="0">
  <vendor>Keepwell</vendor>
  <name>keepwell-suse</name>
  <version>15.6</version>
  <release>0</release>
  <arch>noarch</arch>
  <summary>Keepwell SUSE 15.6 (lab emulation)</summary>
</product>
X
ln -s keepwell.prod /etc/products.d/baseproduct
for name in base updates; do
    cat >"/etc/zypp/repos.d/kw-$name.repo" <<X
[kw-$name]
name=Keepwell lab $name
enabled=1
autorefresh=0
baseurl=http://repository.lab.invalid/rpm/$name
type=rpm-md
gpgcheck=0
X
done
rpm --install --nodeps /srv/lab/base/*.rpm
