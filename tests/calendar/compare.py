#!/usr/bin/env python3
"""compare.py PROGRAM [--full] [--zone NAME]... - proves that the calendar's windows are those of
the definition in calendar.h, against Python's zoneinfo, which knows nothing of mete: for the zone
files of the system, 1970 to 2100, the bounds that PROGRAM (calendar_windows) tells are equal to
those worked out here, one by one.

Here a window's first instant comes from zoneinfo's own conversion of local time: the first of two
instants that show it or, where none does, the instant at which the clock jumps over it, found by
halving. Files that count leap seconds (right/) and files that are no zones must be refused.

Without --full: the strangest zones and a fixed sample of the others, each with some of the periods,
in seconds. With it: every file, every period, in minutes; of files of equal content one is worked
out and the other names are held to it for some years.

Hours are many: where the offset is the same at every hour of three days in a row, the hours of the
middle one are 3600 s apart; all others are worked out one by one. Minutes are compared for the
hours around each change alone: elsewhere they are as plain."""
import array
import hashlib
import os
import subprocess
import sys
import time
from calendar import monthrange
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

FIRST, LAST = 1970, 2100
DAY_S = 86400
CORRUPT = -12  # METE_E_CORRUPT
STRANGE = ["Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kwajalein", "America/St_Johns",
           "Africa/Casablanca", "Europe/Dublin", "America/Nuuk", "Antarctica/Troll", "Asia/Gaza",
           "Africa/Monrovia", "Pacific/Chatham"]
PERIODS = [("daily", 0), ("daily", 16200), ("weekly", 0), ("weekly", 7), ("monthly", 0),
           ("monthly", 31), ("quarterly", 0), ("quarterly", 531), ("yearly", 0), ("yearly", 229)]
SAMPLE_STEP = 29


def seconds(moment):
    return int(moment.replace(tzinfo=timezone.utc).timestamp())


UNTIL_S = seconds(datetime(LAST + 1, 1, 1))


class Zone:
    """The wall clock of one zone file, in whole seconds, as zoneinfo has it."""

    def __init__(self, path, name):
        self.name = name
        with open(path, "rb") as file:
            self.info = ZoneInfo.from_file(file, name)

    def local(self, at_s):
        return datetime.fromtimestamp(at_s, self.info).replace(tzinfo=None, fold=0)

    def offset(self, at_s):
        return datetime.fromtimestamp(at_s, self.info).utcoffset()

    def first(self, bound):
        """The first instant at which the clock shows the bound or more."""
        early = int(bound.replace(tzinfo=self.info).timestamp())
        if self.local(early) == bound:
            return early
        low, high = int(bound.replace(tzinfo=self.info, fold=1).timestamp()), early
        assert self.local(low) < bound <= self.local(high), (self.name, bound)
        while high - low > 1:
            middle = (low + high) // 2
            if self.local(middle) < bound:
                low = middle
            else:
                high = middle
        return high


# ---- What should be -----------------------------------------------------------------------------

def lower_bounds(period, anchor):
    """Of all windows that touch the years, in local time."""
    if period in ("daily", "weekly"):
        at = datetime(FIRST - 1, 12, 15) + timedelta(seconds=anchor if period == "daily" else 0)
        step = timedelta(days=1)
        while period == "weekly" and at.isoweekday() != (anchor or 1):
            at += step
        if period == "weekly":
            step = timedelta(days=7)
        while at.year < LAST + 1 or at.month < 2:
            yield at
            at += step
        return
    step = {"monthly": 1, "quarterly": 3, "yearly": 12}[period]
    month, day = divmod(anchor, 100) if period != "monthly" else (1, anchor)
    for number in range((FIRST - 2) * 12 + (month or 1) - 1, (LAST + 3) * 12, step):
        year, of_year = divmod(number, 12)
        last = monthrange(year, of_year + 1)[1]
        yield datetime(year, of_year + 1, min(day or 1, last))


def cut(starts):
    """Microseconds, as the calendar tells them: from the window that holds 0 to the end of the one
    that holds the last instant; windows that are empty are gone."""
    result = array.array("q", [0])
    for start in sorted(set(starts)):
        if start > 0:
            result.append(start * 1000000)
            if start >= UNTIL_S:
                break
    return result


def quiet_offset(zone, day_s):
    """The offset of a day of UTC, None when it is not the same at every hour."""
    offset = zone.offset(day_s)
    for hour in range(1, 24):
        if zone.offset(day_s + 3600 * hour) != offset:
            return None
    return offset


def starts_in(zone, low_s, high_s, step_s):
    """First instants in low_s <= t < high_s of whole minutes or hours, by the definition."""
    step = timedelta(seconds=step_s)
    pad = timedelta(hours=2) + abs(zone.offset(high_s) - zone.offset(low_s))
    at = (zone.local(low_s) - pad).replace(minute=0, second=0)
    until = zone.local(high_s) + pad
    found = set()
    while at < until:
        start = zone.first(at)
        if low_s <= start < high_s:
            found.add(start)
        at += step
    return sorted(found)


def hourly(zone):
    """Also finds the changes: hours at whose ends the offset differs."""
    starts, changes = [], []
    before, here = None, quiet_offset(zone, -DAY_S)
    after = quiet_offset(zone, 0)
    for day_s in range(0, UNTIL_S + DAY_S, DAY_S):
        before, here, after = here, after, quiet_offset(zone, day_s + DAY_S)
        if here is not None and before == here == after:
            late_s = -(day_s + int(here.total_seconds())) % 3600
            starts.extend(range(day_s + late_s, day_s + DAY_S, 3600))
            continue
        starts.extend(starts_in(zone, day_s, day_s + DAY_S, 3600))
        changes += [at_s for at_s in range(day_s, day_s + DAY_S, 3600)
                    if zone.offset(at_s) != zone.offset(at_s + 3600)]
    return starts, changes


# ---- What is ------------------------------------------------------------------------------------

class Calendar:
    def __init__(self, program, folder):
        self.pipe = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     env=dict(os.environ, TZDIR=str(folder)))

    def windows(self, name, period, anchor, from_us=0, until_us=UNTIL_S * 1000000):
        """Bounds, or the code of an error."""
        self.pipe.stdin.write(f"{name} {period} {anchor} {from_us} {until_us}\n".encode())
        self.pipe.stdin.flush()
        count = array.array("q", self.read(8))[0]
        return count if count < 0 else array.array("q", self.read(8 * count))

    def read(self, size):
        got = self.pipe.stdout.read(size)
        if len(got) != size:
            sys.exit(f"the program ended with {self.pipe.wait()}")
        return got

    def end(self):
        self.pipe.stdin.close()
        return self.pipe.wait()


class Comparison:
    def __init__(self, calendar):
        self.calendar = calendar
        self.windows = self.differences = 0

    def equal(self, what, wanted, found):
        if isinstance(found, int):
            self.differ(f"{what}: error {found}")
            return
        self.windows += len(wanted) - 1
        if wanted == found:
            return
        at = next((i for i, pair in enumerate(zip(wanted, found)) if pair[0] != pair[1]),
                  min(len(wanted), len(found)))
        self.differ(f"{what}: {len(wanted)} and {len(found)} bounds, the first that differ, in us: "
                    f"wanted {wanted[at:at + 3].tolist()}, found {found[at:at + 3].tolist()}")

    def differ(self, text):
        self.differences += 1
        print(text, flush=True)

    def period(self, zone, period, anchor):
        wanted = cut([zone.first(bound) for bound in lower_bounds(period, anchor)])
        self.equal(f"{zone.name} {period} {anchor}", wanted,
                   self.calendar.windows(zone.name, period, anchor))

    def hours_and_minutes(self, zone):
        starts, changes = hourly(zone)
        self.equal(f"{zone.name} hourly", cut(starts), self.calendar.windows(zone.name, "hourly", 0))
        for change_s in changes:
            low_s, high_s = max(change_s - 7200, 0), min(change_s + 10800, UNTIL_S)
            wanted = [at_s * 1000000 for at_s in starts_in(zone, low_s, high_s, 60)]
            found = self.calendar.windows(zone.name, "minute", 0, low_s * 1000000, high_s * 1000000)
            if not isinstance(found, int):
                found = array.array("q", (at for at in found if low_s <= at // 1000000 < high_s))
            self.equal(f"{zone.name} minute at {change_s}", array.array("q", wanted), found)

    def refused(self, name):
        found = self.calendar.windows(name, "daily", 0, 0, 1)
        if not isinstance(found, int) or (name.startswith("right/") and found != CORRUPT):
            self.differ(f"{name}: not refused")

    def alias(self, name, main):
        span = (seconds(datetime(2020, 1, 1)) * 1000000, seconds(datetime(2030, 1, 1)) * 1000000)
        self.equal(f"{name} as {main}", self.calendar.windows(main, "daily", 0, *span),
                   self.calendar.windows(name, "daily", 0, *span))


# ---- The run ------------------------------------------------------------------------------------

def zone_files(folder):
    """(names by content, names that are to be refused)"""
    zones, others = {}, []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        content = path.read_bytes()
        if content[:4] != b"TZif" or name.startswith("right/"):
            others.append(name)
        else:
            zones.setdefault(hashlib.sha256(content).digest(), []).append(name)
    # posix/ are copies: the plain name first
    return sorted(sorted(names, key=lambda name: name.startswith("posix/"))
                  for names in zones.values()), others


def run_sample(comparison, folder, zones):
    mains = [names[0] for names in zones]
    for i, name in enumerate(STRANGE):
        zone = Zone(folder / name, name)
        for period, anchor in PERIODS[i % 3::3]:
            comparison.period(zone, period, anchor)
        if i == 0:
            comparison.hours_and_minutes(zone)
    for i, name in enumerate(mains[::SAMPLE_STEP]):
        comparison.period(Zone(folder / name, name), *PERIODS[i % len(PERIODS)])


def run_full(comparison, folder, zones, others):
    for number, names in enumerate(zones):
        zone = Zone(folder / names[0], names[0])
        for period, anchor in PERIODS:
            comparison.period(zone, period, anchor)
        comparison.hours_and_minutes(zone)
        for name in names[1:]:
            comparison.alias(name, names[0])
        print(f"{number + 1}/{len(zones)} {names[0]}: {comparison.windows} windows so far",
              flush=True)
    for name in others:
        comparison.refused(name)


def main():
    begun = time.monotonic()
    arguments = sys.argv[1:]
    full = "--full" in arguments
    only = {name for flag, name in zip(arguments, arguments[1:]) if flag == "--zone"}
    folder = Path(os.environ.get("TZDIR") or "/usr/share/zoneinfo")
    zones, others = zone_files(folder)
    if only:
        zones, others, full = [[name] for name in sorted(only)], [], True
    comparison = Comparison(Calendar(arguments[0], folder))
    if full:
        run_full(comparison, folder, zones, others)
    else:
        run_sample(comparison, folder, zones)
    if comparison.calendar.end() != 0:
        comparison.differ("the program did not end well")
    named = sum(map(len, zones))
    print(f"{'all' if full else 'a sample'} of {named} names, {len(zones)} zones; {len(others)} "
          f"other files; {comparison.windows} windows compared, {comparison.differences} "
          f"differences; {time.monotonic() - begun:.0f} s")
    sys.exit(comparison.differences != 0 or comparison.windows == 0)


main()
