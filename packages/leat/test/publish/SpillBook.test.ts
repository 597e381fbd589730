import { describe, expect, it } from "vitest"
import { watchReasons } from "../../src/ledger/Counts.js"
import { Ledger } from "../../src/ledger/Ledger.js"
import { Waiter } from "../../src/ledger/Waiter.js"
import { batchOf } from "../../src/record/batchOf.js"
import { Followed, receiptsMax, SpillBook } from "../../src/publish/spill/SpillBook.js"

const account = (stream = "a", epoch = 1) => new Ledger().account(stream, "main/a", epoch)
const idOf = (stream: string, epoch = 1) => ({
  id: { incarnation: "i", stream, bucket: 0, seq: 0 },
  epoch,
  dropped: [],
  isMarker: false
})
const isStored = { ending: "stored" } as const
const isDropped = { ending: "dropped", reason: "Rejected" } as const

const followedOf = (receipts: number) => Object.assign(new Followed(), { receipts })

/** Records that each of these waits for. */
const batchFor = (waiters: ReadonlyArray<Waiter>) => {
  const batch = batchOf(waiters.map((_, index) => ({ key: "k", value: `${index}` })))
  for (const [index, waiter] of waiters.entries()) {
    waiter.pending++
    batch.await(index, index + 1, waiter)
  }
  return { batch, from: 0, to: waiters.length, mayBeStored: false }
}

describe("the book of a spill", () => {
  it("tells of a reason that it counts for the first time", () => {
    const book = new SpillBook(new Followed())
    const own = account()
    const reasons: Array<string> = []
    watchReasons(own.dropped, (reason) => reasons.push(reason))
    book.add({ account: own, ...batchFor([new Waiter(), new Waiter()]) }, 0n)
    book.skip(0n, 2n, "Corrupt", false)
    expect([reasons, own.dropped["Corrupt"]]).toEqual([["Corrupt"], 2])
  })

  it("follows the latest receipts that nobody waits for; of older ones it says that they stay", () => {
    const followed = new Followed()
    const book = new SpillBook(followed)
    const own = account()
    const waiters = Array.from({ length: receiptsMax + 2 }, () => new Waiter())
    for (let at = 0; at < waiters.length; at += 100)
      book.add({ account: own, ...batchFor(waiters.slice(at, at + 100)) }, BigInt(at))
    expect(followed.receipts).toBe(receiptsMax)
    expect(waiters.slice(0, 3).map(({ pending, spilled }) => ({ pending, spilled }))).toEqual([
      { pending: 0, spilled: 1 },
      { pending: 0, spilled: 1 },
      { pending: 1, spilled: 0 }
    ])
    // All of them are in the books all the same.
    expect(own.spilled).toBe(waiters.length)
    for (let at = 0; at < waiters.length; at++) expect(book.end(BigInt(at), idOf("a"), isStored, false)).toBe(own)
    expect(waiters.at(2)).toMatchObject({ pending: 0, stored: 1 })
    expect(own).toMatchObject({ spilled: 0, stored: waiters.length })
    expect(followed.receipts).toBe(0)
  })

  it("follows a receipt on whose outcome somebody waits by then, however old it is, and tells each of its own event", () => {
    const followed = followedOf(receiptsMax - 3)
    const book = new SpillBook(followed)
    const told: Array<string> = []
    const waiters = Array.from({ length: 8 }, () => new Waiter())
    const own = account()
    const first = batchFor(waiters.slice(0, 3))
    // The second of these waits from the beginning, and 0 and 2 only later.
    const ask = (index: number) => waiters[index]?.whenDone(({ stored }) => told.push(`${index}: ${stored}`))
    ask(1)
    book.add({ account: own, ...first }, 0n)
    ask(0)
    ask(2)
    book.add({ account: own, ...batchFor(waiters.slice(3, 8)) }, 3n)
    expect(told).toEqual([])
    expect(waiters.map(({ spilled }) => spilled)).toEqual([0, 0, 0, 1, 1, 0, 0, 0])
    for (let at = 0; at < 8; at++) book.end(BigInt(at), idOf("a"), at === 1 ? isDropped : isStored, false)
    expect(told).toEqual(["0: 1", "1: 0", "2: 1"])
    expect(own).toMatchObject({ spilled: 0, stored: 7 })
  })

  it("notes what had no answer at first where it stands: before what is noted already", () => {
    const book = new SpillBook(new Followed())
    const own = account()
    const waiters = Array.from({ length: 6 }, () => new Waiter())
    const add = (from: number, to: number, mayBeStored = false) =>
      book.add({ account: own, ...batchFor(waiters.slice(from, to)), mayBeStored }, BigInt(from))
    add(0, 1)
    add(5, 6)
    add(3, 4)
    add(4, 5, true)
    add(1, 3)
    for (let at = 0; at < 6; at++) {
      expect(book.isNoted(BigInt(at))).toBe(true)
      expect(book.end(BigInt(at), idOf("a"), at === 4 ? isDropped : isStored, false)).toBe(own)
      expect(waiters.filter(({ pending }) => pending === 0)).toHaveLength(at + 1)
      expect(book.isNoted(BigInt(at))).toBe(false)
    }
    expect(own).toMatchObject({ spilled: 0, stored: 5, dropped: { Rejected: 1 }, droppedMayBeStored: 1 })
    expect(waiters[4]).toMatchObject({ stored: 0, mayBeStored: 1 })
  })

  it("follows everybody who waits", () => {
    const followed = followedOf(receiptsMax)
    const book = new SpillBook(followed)
    const told: Array<number> = []
    const waiters = Array.from({ length: 5 }, () => new Waiter())
    const one = batchFor(waiters)
    for (const waiter of waiters) waiter.whenDone(({ stored }) => told.push(stored))
    book.add({ account: account(), ...one }, 0n)
    for (let at = 0; at < 5; at++) book.end(BigInt(at), idOf("a"), isStored, false)
    expect(told).toEqual([1, 1, 1, 1, 1])
    expect(followed.receipts).toBe(receiptsMax)
  })

  it("takes those who waited and have gone for receipts, and tells each of its own event all the same", () => {
    const others = receiptsMax - 20_000
    const followed = followedOf(others)
    const book = new SpillBook(followed)
    const own = account()
    const told: Array<number> = []
    // Of each four: one who waits on, one who waits until it is on disk, one who gives up, and a receipt.
    const waiters = Array.from({ length: 60_000 }, (_, at) => {
      const waiter = new Waiter()
      waiter.pending++
      const gone = () => told.push(-1)
      if (at % 4 === 0 && at % 1000 === 0) waiter.whenDone(() => told.push(at))
      else if (at % 4 === 1) waiter.whenDurable(() => undefined)
      else if (at % 4 === 2) waiter.whenDone(gone)
      // A second leg, which is on disk later: then the level is reached.
      if (at % 4 === 1) waiter.pending++
      return { waiter, gone }
    })
    for (const [at, { waiter, gone }] of waiters.entries()) {
      const batch = batchOf([{ key: "k", value: `${at}` }])
      batch.await(0, 1, waiter)
      book.add({ account: own, batch, from: 0, to: 1, mayBeStored: false }, BigInt(at))
      if (at % 4 === 1) waiter.tellOnDisk(1)
      if (at % 4 === 2) waiter.forget(gone)
    }
    // What is kept for nobody: the latest receipts, and those who gave up since the last look.
    const isKept = ({ waiter }: (typeof waiters)[number]) => waiter.spilled === 0
    expect(waiters.filter(isKept).length).toBeLessThan(20_000 + 10_100)
    expect(followed.receipts).toBeLessThanOrEqual(receiptsMax)
    let late = 0
    for (const [at, one] of waiters.entries()) {
      book.end(BigInt(at), idOf("a"), isStored, false)
      // Two legs of those who waited until both were on disk: the other is still there.
      if (isKept(one) && one.waiter.stored !== 1) late++
    }
    expect(late).toBe(0)
    expect(told).toEqual(Array.from({ length: waiters.length / 1000 }, (_, index) => index * 1000))
    expect(followed.receipts).toBe(others)
    expect(own).toMatchObject({ spilled: 0, stored: waiters.length })
  })

  it("knows each event by its record, of whatever stream and epoch its neighbours are", () => {
    const book = new SpillBook(new Followed())
    const accounts = [account("a"), account("b"), account("a", 2)]
    for (const [at, one] of accounts.entries())
      book.add(
        { account: one, batch: batchOf([{ key: "k", value: "v" }]), from: 0, to: 1, mayBeStored: at === 1 },
        BigInt(at)
      )
    // What stands between was given up, or is a copy: nobody has noted it.
    expect(book.end(7n, idOf("a"), isStored, false)).toBeUndefined()
    const again = new SpillBook(new Followed())
    for (const [at, one] of accounts.entries())
      again.add(
        { account: one, batch: batchOf([{ key: "k", value: "v" }]), from: 0, to: 1, mayBeStored: at === 1 },
        BigInt(at * 2)
      )
    expect(again.end(0n, idOf("a"), isStored, false)).toBe(accounts[0])
    // Sent on once more, because the first time was not settled.
    expect(again.end(0n, idOf("a"), isStored, false)).toBeUndefined()
    expect(again.end(1n, idOf("a"), isStored, false)).toBeUndefined()
    expect(again.end(2n, idOf("b"), { ending: "dropped", reason: "Rejected" }, false)).toBe(accounts[1])
    expect(again.end(4n, idOf("a", 2), isStored, false)).toBe(accounts[2])
    expect(
      accounts.map(({ stored, dropped, droppedMayBeStored }) => ({
        stored,
        dropped: { ...dropped },
        droppedMayBeStored
      }))
    ).toEqual([
      { stored: 1, dropped: {}, droppedMayBeStored: 0 },
      { stored: 0, dropped: { Rejected: 1 }, droppedMayBeStored: 1 },
      { stored: 1, dropped: {}, droppedMayBeStored: 0 }
    ])
  })

  it("does not know what became of what another process has sent on", () => {
    const book = new SpillBook(new Followed())
    const own = account()
    const [one, other] = [new Waiter(), new Waiter()]
    book.add({ account: own, ...batchFor([one, other]) }, 0n)
    expect(book.skip(0n, 1n, "takenOver", true)).toBe(1)
    expect(one).toMatchObject({ pending: 0, stored: 0, dropped: { takenOver: 1 }, mayBeStored: 1 })
    expect(other).toMatchObject({ pending: 1 })
    expect({ ...own, dropped: { ...own.dropped } }).toMatchObject({
      stored: 0,
      spilled: 1,
      dropped: { takenOver: 1 },
      droppedMayBeStored: 1
    })
    // The disk has lost how far the other one had settled: it is not counted twice.
    expect(book.end(0n, idOf("a"), isStored, false)).toBeUndefined()
    book.end(1n, idOf("a"), isStored, false)
    book.empty()
    expect(own).toMatchObject({ stored: 1, spilled: 0 })
  })

  it("counts what cannot be read as dropped, where events are missing when nothing is left", () => {
    const book = new SpillBook(new Followed())
    const [one, other] = [account("a"), account("b")]
    const lost = new Waiter()
    book.add({ account: one, batch: batchOf([{ key: "k", value: "v" }]), from: 0, to: 1, mayBeStored: false }, 0n)
    book.add({ account: other, ...batchFor([lost]) }, 1n)
    book.end(0n, idOf("a"), isStored, false)
    expect(book.skip(1n, 2n, "Corrupt", false)).toBe(1)
    expect(lost).toMatchObject({ pending: 0, dropped: { Corrupt: 1 } })
    book.empty()
    expect(one).toMatchObject({ stored: 1, spilled: 0 })
    expect({ ...other, dropped: { ...other.dropped } }).toMatchObject({
      stored: 0,
      spilled: 0,
      fellBack: 0,
      dropped: { Corrupt: 1 }
    })
  })

  it("follows the latest receipts of a destination, whatever their partitions are", () => {
    const followed = new Followed()
    const [one, other] = [new SpillBook(followed), new SpillBook(followed)]
    const own = account()
    const waiters = Array.from({ length: receiptsMax }, () => new Waiter())
    for (let at = 0; at < waiters.length; at += 100)
      one.add({ account: own, ...batchFor(waiters.slice(at, at + 100)) }, BigInt(at))
    const late = [new Waiter(), new Waiter()]
    other.add({ account: own, ...batchFor(late) }, 0n)
    expect(late.map(({ spilled }) => spilled)).toEqual([0, 0])
    expect(waiters.slice(0, 3).map(({ spilled }) => spilled)).toEqual([1, 1, 0])
    other.end(0n, idOf("a"), isStored, false)
    expect(late[0]).toMatchObject({ pending: 0, stored: 1 })
  })

  it("says of what cannot be read that it may be stored where an answer had not come", () => {
    const book = new SpillBook(new Followed())
    const own = account()
    const [one, other] = [new Waiter(), new Waiter()]
    book.add({ account: own, ...batchFor([one]), mayBeStored: true }, 0n)
    book.add({ account: own, ...batchFor([other]) }, 1n)
    expect(book.skip(0n, 1n, "Corrupt", false)).toBe(1)
    expect(one).toMatchObject({ dropped: { Corrupt: 1 }, mayBeStored: 1 })
    expect(book.skip(1n, 2n, "Corrupt", false)).toBe(1)
    expect(other).toMatchObject({ dropped: { Corrupt: 1 }, mayBeStored: 0 })
    book.empty()
    expect(own).toMatchObject({ dropped: { Corrupt: 2 }, droppedMayBeStored: 1 })
  })

  it("counts what another process has sent on of two streams once nothing else is left, and when it is closed", () => {
    for (const end of ["skipped", "closed"]) {
      const book = new SpillBook(new Followed())
      const [one, other] = [account("a"), account("b")]
      book.add({ account: one, ...batchFor([new Waiter()]) }, 0n)
      book.add({ account: other, ...batchFor([new Waiter(), new Waiter()]) }, 1n)
      book.skip(0n, end === "skipped" ? 3n : 2n, "takenOver", true)
      if (end === "closed") book.leave(0n)
      const [dropped, spilled, doubtful] = [one, other].reduce(
        ([all, left, may], { dropped: { takenOver = 0 }, spilled: still, droppedMayBeStored }) => [
          all + takenOver,
          left + still,
          may + droppedMayBeStored
        ],
        [0, 0, 0]
      )
      expect({ end, dropped, spilled, doubtful }).toEqual(
        end === "skipped" ? { end, dropped: 3, spilled: 0, doubtful: 3 } : { end, dropped: 2, spilled: 1, doubtful: 2 }
      )
    }
  })
})
