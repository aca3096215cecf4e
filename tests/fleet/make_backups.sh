# Makes live data and backups of it on a host of the lab, the same ones each time. Run as root.
# With an argument only what the tools of files need; "all": the 200 MB and the dumps of databases as well.
set -e
export LC_ALL=C.UTF-8 RESTIC_PASSWORD=lab-restic-4711 BORG_PASSPHRASE=lab-borg-4711 BORG_RELOCATED_REPO_ACCESS_IS_OK=yes
live=/srv/live store=/srv/store
mkdir -p "$live" "$store" /tmp/made
trap 'rm -rf /tmp/made' EXIT
quiet() { "$@" >/tmp/made/log 2>&1 || { cat /tmp/made/log >&2; exit 1; }; }
r() { where=$1; shift; quiet restic --no-cache --repo "$store/$where" "$@"; }
# With folders of its own each time: borg would take a copy for an attack.
b() { BORG_BASE_DIR=$(mktemp -d /tmp/made/XXXXXX) quiet borg "$@"; }
copy() { cp -a "$store/$1" "$store/$2"; }
ago() { date -u -d "$1 ago" +"$2"; }
largest() { find "$store/$1" -type f -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2-; }
# Flip one bit in the middle of the largest file below a folder.
flip() {
    python3 - "$(largest "$1")" <<'PYTHON'
import os, sys
with open(sys.argv[1], "r+b") as stream:
    stream.seek(os.path.getsize(sys.argv[1]) // 2)
    byte = stream.read(1)[0]
    stream.seek(-1, 1)
    stream.write(bytes([byte ^ 1]))
PYTHON
}

python3 - "$live" "$1" <<'PYTHON'
import pathlib, random, sys
live, drawn = pathlib.Path(sys.argv[1]), random.Random(4711)
def put(name, size):
    path = live / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawn.randbytes(size))
for number in range(30):
    put(f"shop/orders/{number:02}", 40_000)
put("shop/ledger", 20_000)
(live / "shop/known.txt").write_text("restored by a test: kw-content-9182\n" * 40)
if sys.argv[2] == "all":
    for number in range(400):
        put(f"large/{number // 100}/{number:03}", 500_000)
PYTHON

# -- restic: one healthy repository, and copies of it that something happens to
r restic init
copy restic empty
r restic backup --host shop "$live/shop"
for name in flipped lacking locked; do copy restic restic-$name; done
flip restic-flipped/data
rm -f "$(largest restic-lacking/data)"
mkfifo /tmp/made/pipe
restic --no-cache --repo "$store/restic-locked" backup --stdin </tmp/made/pipe >/dev/null 2>&1 &
writer=$!
exec 9>/tmp/made/pipe
while [ -z "$(ls "$store/restic-locked/locks")" ]; do sleep 0.1; done
kill -9 $writer
exec 9>&-
copy empty restic-old
r restic-old backup --host shop --time "$(ago '10 days' '%F %T')" "$live/shop"
copy restic-old restic-shared
r restic-shared backup --host other "$live/shop"

# -- borg, likewise
b init --encryption repokey-blake2 "$store/borg"
# Several segments, so that the one that is taken away has nothing but content of files.
b config "$store/borg" max_segment_size 300000
copy borg borg-shrunk
b create "$store/borg::shop" "$live/shop"
for name in flipped lacking locked; do copy borg borg-$name; done
flip borg-flipped/data
rm -f "$(largest borg-lacking/data)"
mkdir "$store/borg-locked/lock.exclusive"
touch "$store/borg-locked/lock.exclusive/$(hostname)@123.999999-0"

[ "$1" = all ] || exit 0
r large init
r large backup --host shop "$live/large"
b init --encryption repokey-blake2 "$store/large-borg"
b create "$store/large-borg::large" "$live/large"

# -- an incomplete one: its user may not read everything, and the job ends with 3
copy empty restic-partial
mkdir -p /srv/partial
echo readable >/srv/partial/one
install -m 600 /dev/null /srv/partial/two
chown -R ops "$store/restic-partial" && chown ops /srv/partial/one
echo "RESTIC_PASSWORD=$RESTIC_PASSWORD" >/srv/partial.env
cat >/etc/systemd/system/partial.service <<UNIT
[Service]
Type=oneshot
User=ops
EnvironmentFile=/srv/partial.env
ExecStart=/usr/bin/restic --no-cache --repo $store/restic-partial backup --host shop /srv/partial
UNIT
systemctl start partial.service || [ "$(systemctl show --value --property ExecMainStatus partial.service)" = 3 ]

# -- smaller, without a path, with one too many
for day in 9 8 7 6 5 4 3 2; do
    b create --timestamp "$(ago "$day days" %FT%T)" "$store/borg-shrunk::day-$day" "$live/shop"
done
copy borg-shrunk borg-without
b create --exclude '*/orders/[01]*' --exclude '*/orders/2[0-3]*' "$store/borg-shrunk::today" "$live/shop"
b create --exclude '*/ledger' "$store/borg-without::today" "$live/shop"
copy borg borg-grown
mkdir "$live/shop/cache"
echo cached >"$live/shop/cache/page"
b create "$store/borg-grown::grown" "$live/shop"
rm -r "$live/shop/cache"

# -- archives: whole, cut off, with something else in one file
mkdir "$store/tar" "$store/tar-cut" "$store/tar-wrong"
tar -C / -czf "$store/tar/shop.tar.gz" srv/live/shop
head -c 700000 "$store/tar/shop.tar.gz" >"$store/tar-cut/shop.tar.gz"
mkdir -p /tmp/made/staged/srv/live
cp -a "$live/shop" /tmp/made/staged/srv/live/
printf x | dd of=/tmp/made/staged/srv/live/shop/ledger bs=1 seek=9000 conv=notrunc status=none
touch -r "$live/shop/ledger" /tmp/made/staged/srv/live/shop/ledger
tar -C /tmp/made/staged -czf "$store/tar-wrong/shop.tar.gz" srv/live/shop

mkdir "$store/tar-stale"
tar -C / -czf "$store/tar-stale/old.tar.gz" srv/live/old

# -- databases
su postgres -c "createdb shop && psql -q -v ON_ERROR_STOP=1 shop" <<SQL
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE orders (id integer PRIMARY KEY, customer integer REFERENCES customers, what text);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 100) n;
INSERT INTO orders SELECT n, 1 + n % 100, md5(n::text) FROM generate_series(1, 20000) n;
SQL
mkdir "$store/pg" "$store/pg-errors" "$store/pg-cut" "$store/maria" "$store/maria-cut"
su postgres -c "pg_dump -Fc shop" >"$store/pg/shop.dump"
# A customer is gone to whom orders refer.
su postgres -c "pg_dump shop" | sed '/^7\tcustomer 7$/d' >"$store/pg-errors/shop.sql"
head -c 100000 "$store/pg/shop.dump" >"$store/pg-cut/shop.dump"
mariadb <<SQL
CREATE DATABASE shop; USE shop;
CREATE TABLE orders (id integer PRIMARY KEY, what varchar(40));
INSERT INTO orders SELECT seq, md5(seq) FROM seq_1_to_20000;
SQL
mariadb-dump shop | gzip >"$store/maria/shop.sql.gz"
mariadb-dump shop | head -n -1 | gzip >"$store/maria-cut/shop.sql.gz"
