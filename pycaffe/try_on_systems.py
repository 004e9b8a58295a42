#!/usr/bin/env python3
"""Install a travelling wheel on bare systems and run it there: chroots by debootstrap. As root.

    sudo pycaffe/try_on_systems.py --wheels dist bookworm trixie sid            # what `make wheels` has made
    sudo pycaffe/try_on_systems.py --build --wheels dist bullseye               # make the wheel there first
    sudo pycaffe/try_on_systems.py --archive URL --wheels dist noble            # another archive, such as Ubuntu's

Each system has Python, the certificates, and nothing else: no compiler, no libraries. A user without rights runs the
set-up of this checkout there with CAFFE_WHEEL, the tests of the installed Caffe, and, when the images and weights are
there (--data-dir, --weights-dir), IDN at x3 on Set5. A line of a Markdown table is printed for each.

The archive is that of this machine's apt configuration, unless --archive names another. Systems are kept in --roots, so
that the second time takes a minute.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ["test_installed_caffe.py", "test_cpu_engine.py", "test_mended.py"]
PACKAGES = "python3,python3-venv,ca-certificates"
BUILD_PACKAGES = ["g++", "make", "python3-dev"]  # the rest is the set-up's business
# how this machine reaches package indexes, copied into the system
NETWORK = ["/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/etc/xdg/pip"]
USER = "someone"


class TryError(Exception):
    """A system cannot be made or a step fails on it; the text is one line for the user."""


def archive():
    """The archive (str) of this machine's apt configuration.

    Raises
    ------
    TryError
        There is none.
    """
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    found = subprocess.run(command, capture_output=True, text=True).stdout.split()
    if not found:
        raise TryError("apt-get indextargets names no archive; give one with --archive")
    return found[0]


def system(name, roots, source):
    """The folder (Path) of a system of this name (str), made by debootstrap when it is not there."""
    root = roots / name
    if (root / "usr/bin/python3").exists():
        return root
    program = shutil.which("debootstrap", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not program:
        raise TryError("debootstrap is not installed: apt-get install debootstrap")
    root.parent.mkdir(parents=True, exist_ok=True)
    command = [program, "--variant=minbase", f"--include={PACKAGES}", name, root, source]
    made = subprocess.run(command, capture_output=True)
    if made.returncode:
        shutil.rmtree(root)
        lines = made.stdout.decode(errors="replace").strip().splitlines()
        raise TryError(f"debootstrap {name}: {lines[-1] if lines else 'no message'}")
    return root


def inside(root, command, user=USER):
    """Run a shell command (str) in a system as a user; gives its CompletedProcess. /proc lasts as long as it does."""
    switch = f"exec setpriv --reuid={user} --regid={user} --init-groups" if user != "root" else "exec"
    script = f"mount -t proc proc {root}/proc && exec chroot {root} /bin/sh -c '{switch} /bin/sh -c \"$0\"' \"$0\""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "http", "HTTP", "no_proxy"))}
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": f"/home/{USER}", "LC_ALL": "C.UTF-8", **kept}
    whole = ["unshare", "--mount", "sh", "-c", script, command]
    return subprocess.run(whole, capture_output=True, text=True, env=environment)


def need(root, command, user=USER):
    """As `inside`, but a failure is an error."""
    done = inside(root, command, user)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise TryError(f"{root.name}: `{command}`: {lines[-1] if lines else 'no message'}")
    return done.stdout


def furnish(root, wheels, data, weights):
    """Put this checkout, the wheels, images and weights into a system, and a user who may write there."""
    for name in NETWORK:
        if Path(name).is_dir():
            shutil.copytree(name, root / name[1:], dirs_exist_ok=True)
        elif Path(name).exists():
            (root / name[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, root / name[1:])
    inside(root, f"useradd --create-home {USER}", "root")
    home = root / "home" / USER / "idn"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    packed = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "-x", "-C", home], input=packed, check=True)
    shutil.copytree(wheels, home / "dist", dirs_exist_ok=True)
    for source, name in ((data / "Set5", "data/Set5"), (weights, "weights")):
        if source.is_dir():
            shutil.copytree(source, home / name)
    need(root, f"chown -R {USER}: /home/{USER}", "root")


def build(root, wheels):
    """Make the wheel for a system's own Python there, into `wheels` (Path)."""
    # a mirror may lag behind, and unstable's lists are valid for a week only
    install = (
        "apt-get update -qq -o Acquire::Check-Valid-Until=false && "
        "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "
    )
    need(root, install + " ".join(BUILD_PACKAGES), "root")
    packages = "import tools.setup.system_packages as s; print(s.install_packages())"
    need(root, f"cd /home/{USER}/idn && python3 -c '{packages}'", "root")
    need(root, "cd ~/idn && python3 pycaffe/make_wheels.py python3 --out dist")
    for path in (root / "home" / USER / "idn" / "dist").glob("*.whl"):
        shutil.copy(path, wheels)


def row(root):
    """What happened in a system, a line (str) of the table: system, glibc, Python, import, PSNR, tests."""
    work = "cd ~/idn && "
    need(root, work + "CAFFE_WHEEL=dist python3 tools/setup_environment.py")
    python = need(root, work + ".venv/bin/python -c 'import platform; print(platform.python_version())'").strip()
    libc = need(root, work + ".venv/bin/python -c 'import platform; print(platform.libc_ver()[1])'").strip()
    version = need(root, work + ".venv/bin/python -c 'import caffe; print(caffe.__version__)'").strip()
    tests = inside(root, work + f".venv/bin/python -m pytest -q {' '.join('tests/pycaffe/' + name for name in TESTS)}")
    last = (tests.stdout.strip().splitlines() or ["none"])[-1]
    counts = re.sub(r" in [\d.]+s.*", "", last.strip("= "))
    return f"| {pretty_name(root)} | {libc} | {python} | {version} | {psnr(root)} | {counts} |"


def pretty_name(root):
    """The name (str) that a system gives itself."""
    lines = (root / "etc/os-release").read_text().splitlines()
    return next(line.split("=", 1)[1].strip('"') for line in lines if line.startswith("PRETTY_NAME="))


def psnr(root):
    """PSNR (str, dB, four digits behind the point) of IDN at x3 on Set5 in a system; "-" without images or weights."""
    home = root / "home" / USER / "idn"
    if not ((home / "data/Set5").is_dir() and (home / "weights").is_dir()):
        return "-"
    options = "--tables 2 --scales 3 --datasets Set5 --methods IDN --repeats 0 --out runs/try"
    need(root, f"cd ~/idn && tools/benchmark.py {options}")
    report = json.loads((home / "runs/try/benchmark.json").read_text())
    (found,) = [one for one in report["rows"] if one["method"] == "IDN"]
    return f"{found['psnr']:.4f}"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="+", metavar="NAME", help="code names of Debian's or Ubuntu's releases")
    parser.add_argument("--wheels", type=Path, default=Path("dist"), help="folder with the wheels (default: dist)")
    parser.add_argument("--build", action="store_true", help="make the wheel for the system's Python there first")
    parser.add_argument("--archive", help="the distribution's archive (default: apt's)")
    parser.add_argument("--roots", type=Path, default=Path("/var/tmp/caffe-systems"), help="where systems are kept")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "data", help="default: data")
    parser.add_argument("--weights-dir", type=Path, default=ROOT / "weights", help="default: weights")
    args = parser.parse_args(argv)
    if os.geteuid() != 0:
        print("try_on_systems.py: chroot and debootstrap need root: run it with sudo", file=sys.stderr)
        return 2
    status = 0
    print("| system | glibc | Python | import caffe | Set5 x3, dB | tests |\n|---|---|---|---|---|---|", flush=True)
    for name in args.systems:
        try:
            root = system(name, args.roots.resolve(), args.archive or archive())
            args.wheels.mkdir(parents=True, exist_ok=True)
            furnish(root, args.wheels, args.data_dir, args.weights_dir)
            if args.build:
                build(root, args.wheels)
            print(row(root), flush=True)
        except (TryError, OSError) as error:
            print(f"try_on_systems.py: {error}", file=sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main())
