"""Makes a wheel of a folder: python3 wheel.py FOLDER FILE TIME, run by `cargo xtask dist wheel`.

The folder has what is in the wheel, but for the record of it. Files are in order of name, their
times are TIME, seconds since 1970, and links are files: the format has none.
"""

import base64
import hashlib
import os
import sys
import time
import zipfile

PROGRAM, FILE = 0o100755, 0o100644


def paths(folder):
    """The files below a folder, relative to it, the record's neighbours last."""
    found = []
    for place, _, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(place, name), folder) for name in names]
    return sorted(found, key=lambda path: (".dist-info/" in path, path))


def main(folder, file, seconds):
    date = time.gmtime(int(seconds))[:6]
    record = []
    level = int(os.environ.get("LEVEL", "9"))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as wheel:

        def add(path, mode, data):
            info = zipfile.ZipInfo(path, date)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            # The system that made it is Unix: modes count.
            info.create_system = 3
            wheel.writestr(info, data, compresslevel=level)

        for path in paths(folder):
            full = os.path.join(folder, path)
            with open(full, "rb") as source:
                data = source.read()
            add(path, PROGRAM if os.access(full, os.X_OK) else FILE, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
            record.append(f"{path},sha256={digest.decode().rstrip('=')},{len(data)}")
            if path.endswith(".dist-info/WHEEL"):
                place = os.path.join(os.path.dirname(path), "RECORD")
        record.append(f"{place},,")
        add(place, FILE, "\n".join(record) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
