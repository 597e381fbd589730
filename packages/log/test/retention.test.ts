import { describe, expect, it } from "vitest"
import { retain } from "../src/store/retention.js"
import { rowSum } from "../src/store/tables/rowSum.js"
import { Machine } from "./support/Machine.js"
import { compact } from "./support/compact.js"
import { noLimits, OpenStore, storeWithTopic } from "./support/openStore.js"
import { keptOf, maintain, put, retentionMs } from "./support/retained.js"

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const yearMs = 365 * dayMs
/** As an append does, without one. */
const look = (open: OpenStore) => open.write((store) => store.ages.stamp())
const clocksOf = (open: OpenStore) => Number(open.store.db.prepare("SELECT count(*) AS n FROM clock").get()?.["n"])

const wrongs = [-10 * yearMs, -5 * dayMs, -hourMs, hourMs, 5 * dayMs, 10 * yearMs]

describe("retention by time, after a minute with a clock that is wrong", () => {
  it.each(wrongs.flatMap((ms) => [[ms, "goes on"] as const, [ms, "begins anew"] as const]))(
    "by %i ms, deletes what was stored then when it is old, and not before (the process %s)",
    (wrongMs, process) => {
      const machine = new Machine()
      machine.wrongMs = wrongMs
      using open = storeWithTopic(false, machine.clock)
      put(open)
      machine.pass(minuteMs)
      machine.wrongMs = 0
      if (process === "begins anew") open.reopen()
      put(open)
      machine.pass(retentionMs - minuteMs)
      maintain(open)
      expect(keptOf(open)).toEqual([0, 1])
      machine.pass(1)
      maintain(open)
      expect(keptOf(open)).toEqual([1])
      machine.pass(minuteMs)
      maintain(open)
      expect(keptOf(open)).toEqual([])
    }
  )

  it.each(wrongs)("by %i ms, while somebody looks, deletes nothing that is young", (wrongMs) => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    put(open)
    machine.pass(2 * hourMs)
    put(open)
    machine.reboot(dayMs)
    machine.wrongMs = wrongMs
    open.reopen()
    maintain(open)
    machine.pass(hourMs - 1)
    maintain(open)
    machine.wrongMs = 0
    maintain(open)
    machine.pass(2 * hourMs)
    maintain(open)
    expect(keptOf(open)).toEqual([0, 1])
  })

  it.each(wrongs)(
    "by %i ms when the machine was switched on, dates what was stored then by the next time that is believed",
    (wrongMs) => {
      const machine = new Machine()
      machine.wrongMs = wrongMs
      using open = storeWithTopic(false, machine.clock)
      put(open)
      // Off before anybody has set the clock.
      machine.reboot(dayMs)
      machine.wrongMs = 0
      open.reopen()
      put(open)
      machine.pass(2 * dayMs)
      put(open)
      machine.reboot(0)
      open.reopen()
      put(open)
      machine.pass(retentionMs - 2 * dayMs)
      maintain(open)
      expect(keptOf(open)).toEqual([0, 1, 2, 3])
      machine.pass(5 * minuteMs)
      maintain(open)
      expect(keptOf(open)).toEqual([2, 3])
    }
  )
})

describe("retention by time, across boots", () => {
  const used = () => {
    const machine = new Machine()
    const open = storeWithTopic(false, machine.clock)
    put(open)
    machine.pass(hourMs)
    put(open)
    return { machine, open }
  }

  it("counts the time in which the machine was off, once the clock has run evenly for an hour", () => {
    const { machine, open } = used()
    using _ = open
    machine.reboot(20 * dayMs)
    open.reopen()
    maintain(open)
    machine.pass(hourMs - 1)
    maintain(open)
    expect(keptOf(open)).toEqual([0, 1])
    machine.pass(1)
    maintain(open)
    expect(keptOf(open)).toEqual([])
  })

  it.each([0, -yearMs])(
    "does not count a time of suspension before a record, at a boot that was over soon after it (then %i ms wrong)",
    (wrongMs) => {
      const { machine, open } = used()
      using _ = open
      machine.suspend(dayMs)
      put(open)
      machine.wrongMs = wrongMs
      put(open)
      machine.reboot(6 * dayMs + 22 * hourMs)
      machine.wrongMs = 0
      open.reopen()
      maintain(open)
      machine.pass(hourMs)
      maintain(open)
      // Nobody knows how much of it was before which record.
      expect(keptOf(open)).toEqual([0, 1, 2, 3])
      machine.pass(2 * hourMs)
      maintain(open)
      expect(keptOf(open)).toEqual([])
    }
  )

  it.each([-5, 5])(
    "counts it by processes that live for a moment only, when two of them are an hour apart (first %i days wrong)",
    (days) => {
      const { machine, open } = used()
      using _ = open
      machine.reboot(20 * dayMs)
      machine.wrongMs = days * dayMs
      for (const afterMs of [0, minuteMs, hourMs]) {
        machine.pass(afterMs)
        open.reopen()
        put(open)
        // Set right after the first of them.
        machine.wrongMs = 0
      }
      expect(keptOf(open)).toEqual([2, 3, 4])
    }
  )

  it("counts at least the time in which the log was in use, where no time is ever believed", () => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    put(open)
    const stretches = Math.floor(retentionMs / (50 * minuteMs))
    for (let stretch = 1; stretch <= stretches + 1; stretch++) {
      for (let minutes = 0; minutes < 50; minutes += 10) {
        machine.pass(10 * minuteMs)
        if (stretch % 20 === 1 || minutes === 40) maintain(open)
      }
      expect(keptOf(open)).toEqual(stretch <= stretches ? [0] : [])
      // At a boot, or while it goes on.
      if (stretch % 4 === 0) machine.reboot(dayMs)
      machine.wrongMs = -stretch * yearMs
      open.reopen()
      look(open)
    }
  })

  it("counts from the begin of the first known boot what is older than the last 100", () => {
    const machine = new Machine()
    machine.wrongMs = -10 * yearMs
    using open = storeWithTopic(false, machine.clock)
    put(open)
    const boot = (wrongMs: number, upMs: number) => {
      machine.reboot(minuteMs)
      machine.wrongMs = wrongMs
      open.reopen()
      look(open)
      machine.pass(upMs)
      look(open)
    }
    boot(0, hourMs)
    for (let other = 1; other <= 98; other++) boot(-other * yearMs, minuteMs)
    expect(clocksOf(open)).toBe(100)
    boot(0, hourMs)
    expect(clocksOf(open)).toBe(100)
    maintain(open)
    expect(keptOf(open)).toEqual([0])
    machine.pass(retentionMs)
    maintain(open)
    expect(keptOf(open)).toEqual([])
  })

  it("has one row for all boots at which the time was right, and one for the present", () => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    for (let boot = 0; boot < 20; boot++) {
      put(open)
      machine.pass(hourMs)
      put(open)
      machine.reboot(dayMs)
      open.reopen()
    }
    put(open)
    machine.pass(hourMs)
    put(open)
    expect(clocksOf(open)).toBe(2)
    // Two records in each 25 hours.
    expect(keptOf(open)).toEqual(Array.from({ length: 14 }, (_, index) => 28 + index))
  })
})

describe("a time that was wrong for longer than an hour, at one boot", () => {
  const boot = (machine: Machine, open: OpenStore, offMs: number, wrongMs: number) => {
    machine.reboot(offMs)
    machine.wrongMs = wrongMs
    open.reopen()
    put(open)
    machine.pass(2 * hourMs)
    maintain(open)
  }

  it("and is ahead, is refuted by the next one, which is compared with those before it", () => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    // Where it is believed nothing stands before it.
    boot(machine, open, 0, 10 * yearMs)
    boot(machine, open, dayMs, 0)
    boot(machine, open, 6 * dayMs, 0)
    expect(keptOf(open)).toEqual([0, 1, 2])
    boot(machine, open, 2 * dayMs, 0)
    expect(keptOf(open)).toEqual([2, 3])
  })

  it("and is ahead, deletes nothing any more once it is corrected", () => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    boot(machine, open, 0, 0)
    machine.reboot(dayMs)
    machine.wrongMs = 10 * yearMs
    open.reopen()
    look(open)
    machine.pass(2 * hourMs)
    look(open)
    machine.wrongMs = 0
    maintain(open)
    expect(keptOf(open)).toEqual([0])
  })

  it("and is behind, is refuted by the one before it", () => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    boot(machine, open, 0, 0)
    boot(machine, open, dayMs, -10 * yearMs)
    boot(machine, open, dayMs, 0)
    expect(keptOf(open)).toEqual([0, 1, 2])
    boot(machine, open, 6 * dayMs, 0)
    // It counts as stored at the begin of the next one.
    expect(keptOf(open)).toEqual([1, 2, 3])
    boot(machine, open, 2 * dayMs, 0)
    expect(keptOf(open)).toEqual([3, 4])
  })
})

it("clocks that are a minute off, which is tolerated, delete nothing early", () => {
  const machine = new Machine()
  machine.wrongMs = -minuteMs
  using open = storeWithTopic(false, machine.clock)
  put(open)
  machine.wrongMs = 0
  machine.pass(hourMs)
  put(open)
  machine.reboot(retentionMs - 2 * hourMs)
  machine.wrongMs = minuteMs
  open.reopen()
  put(open)
  machine.wrongMs = 0
  machine.pass(hourMs)
  maintain(open)
  expect(keptOf(open)).toEqual([0, 1, 2])
  machine.pass(4 * minuteMs)
  maintain(open)
  expect(keptOf(open)).toEqual([1, 2])
})

it("two containers with clocks of their own, at one boot, are compared by the wall clock", () => {
  const machine = new Machine()
  const { clock } = machine
  const other = { ...clock, name: "boot1 time:[2]", monotonicMs: () => clock.monotonicMs() + 77 * dayMs }
  using open = storeWithTopic(false, clock)
  const beside = new OpenStore(open.directory, other)
  for (const one of [open, beside]) put(one)
  machine.pass(6 * dayMs)
  for (const one of [open, beside]) put(one)
  machine.pass(2 * dayMs)
  for (const one of [open, beside]) maintain(one)
  expect(keptOf(open)).toEqual([2, 3])
  expect(clocksOf(open)).toBe(2)
  beside.close()
})

it("a time that is wrong twice, and was seen to be right meanwhile by who wrote nothing, is not believed", () => {
  const machine = new Machine()
  using open = storeWithTopic(false, machine.clock)
  put(open)
  machine.pass(2 * hourMs)
  put(open)
  machine.reboot(0)
  open.reopen()
  machine.wrongMs = yearMs
  look(open)
  machine.wrongMs = 0
  open.store.look(() => open.store.ages.ageOf)
  machine.pass(hourMs)
  machine.wrongMs = yearMs
  maintain(open)
  expect(keptOf(open)).toEqual([0, 1])
})

describe("a clock without a name", () => {
  it("is the same one for a process that sees the time change", () => {
    const machine = new Machine(false)
    using open = storeWithTopic(false, machine.clock)
    for (const wrongMs of [0, yearMs, 0, -yearMs]) {
      machine.wrongMs = wrongMs
      put(open)
    }
    expect(clocksOf(open)).toBe(1)
  })

  it("is another one at the next boot, also if each begins with the same time", () => {
    const machine = new Machine(false)
    using open = storeWithTopic(false, machine.clock)
    machine.pass(6 * dayMs)
    put(open)
    machine.reboot(0)
    machine.wrongMs = -6 * dayMs - 2000
    open.reopen()
    put(open)
    machine.pass(retentionMs + 1)
    maintain(open)
    expect(keptOf(open)).toEqual([])
  })
})

it("compaction lets records that it merges live as long as the youngest of them", () => {
  const machine = new Machine()
  using open = storeWithTopic(true, machine.clock)
  const add = (key: string) => open.append([{ key, value: "v" }])
  const keep = () =>
    open.write((store) => {
      const topic = { ...store.topics.get("t"), retentionMs }
      store.heads.save(retain(store, topic, store.heads.get(0), noLimits, 256))
      return store.heads.get(0).start
    })
  for (const key of ["a", "b", "c", "d", "e", "f", "g"]) add(key)
  machine.pass(dayMs)
  add("h")
  compact(open)
  expect(open.read()).toHaveLength(1)
  machine.pass(retentionMs)
  expect(keep()).toBe(0)
  machine.pass(1)
  expect(keep()).toBe(8)
})

it("a record whose clock nobody knows is as old as the next one whose clock is known", () => {
  const machine = new Machine()
  using open = storeWithTopic(false, machine.clock)
  for (let record = 0; record < 3; record++) put(open)
  const [row] = open.store.db.prepare("SELECT * FROM batch WHERE base = 0").all()
  const names = ["partition", "base", "end", "first_ms", "last_ms", "high_ms", "stored_ms", "length", "id"]
  const sum = rowSum(...names.map((name) => Number(row?.[name])), -1)
  open.store.db.prepare("UPDATE batch SET clock = -1, sum = ? WHERE base = 0").run(sum)
  machine.pass(retentionMs)
  maintain(open)
  expect(keptOf(open)).toEqual([0, 1, 2])
  machine.pass(1)
  maintain(open)
  expect(keptOf(open)).toEqual([])
})
