// Moves a stream back and forth between two logs while processes publish and read it; kills some of them, stops one for longer than the lease, takes
// moves back and ends them before they are sealed. Then everything is well again, and both logs and what handlers have printed are judged. Exit code 0:
// nothing that was told stored is lost, and order holds; 3: not, and the last line says what.
//   node --conditions=@leat/source packages/log/test/move/proveMove.ts [moves] [seed]
import { Cause, Effect, Exit, Option } from "effect"
import { ControlTools, MoveTools } from "leat"
import { seededRandom } from "leat/testing"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Place } from "../../../leat/src/control/ControlRecord.ts"
import { isSamePlace } from "../../../leat/src/control/Placement.ts"
import { noteContract } from "../support/Note.ts"
import { documentAt, places } from "./fleetOptions.ts"
import { type Found, handledBy, judged, owedOf, pausesOf, readRanges, type Verdict } from "./judge.ts"
import { isOpen, linesOf, type Member, type MovedFleet, movedFleet, Violation } from "./MovedFleet.ts"

const groups = ["one", "two"]
/** Processes that publish, and that read in each group. */
const [writers, readers] = [3, 2]

/** How long a step may take, in milliseconds; each has leases of its own within, and the machine is busy. */
const stepMsMax = 180_000
/** Most of one move, and of what is around them all, in milliseconds: processes that are left then are killed. */
const [moveMsMax, aroundMsMax] = [120_000, 240_000]
/** How long a process is stopped at least, in milliseconds: longer than the lease, where nobody passes it over before. */
const stopMsMax = 20_000
/** An offer waits for nothing. A process that was stopped in one, or for whose core others wait, takes this time. */
const offerMsMax = 2000

type Mishap = "none" | "killWriter" | "stopWriter" | "killReader" | "killCoordinator"
type Ending = "opened" | "aborted" | "rolledBack"

/** What the first moves meet, so that each is in a short proof; after that it is drawn. */
const first: ReadonlyArray<readonly [Mishap, Ending]> = [
  ["none", "opened"],
  ["stopWriter", "opened"],
  ["stopWriter", "aborted"],
  ["killCoordinator", "opened"],
  ["killReader", "opened"],
  ["killWriter", "rolledBack"]
]
const mishaps: ReadonlyArray<Mishap> = ["none", "killWriter", "stopWriter", "killReader", "killCoordinator"]
/** One of four moves is ended before it is sealed, or taken back. */
const endings: ReadonlyArray<Ending> = [
  "opened",
  "opened",
  "opened",
  "aborted",
  "opened",
  "opened",
  "opened",
  "rolledBack"
]

export interface MoveReport extends Omit<Verdict, "violation"> {
  /** That were begun, those back included; those of them that ended before they were sealed; and epochs that were opened. */
  readonly moves: number
  readonly aborted: number
  readonly rolledBack: number
  readonly opened: number
  readonly kills: number
  readonly stops: number
  /** Writers that were passed over while they were stopped. */
  readonly passedOver: number
  readonly offerMs: Spread
  /** From the begin of a publish until it was told stored, gates included. */
  readonly storedMs: Spread
  /** From the last event of the old place that a group handled to the first of the new one; `calm`: of moves without a mishap. */
  readonly dispatchMs: Spread
  readonly dispatchCalmMs: Spread
  readonly seconds: number
  readonly violation?: string
}

export interface Spread {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

interface Told {
  moves: number
  aborted: number
  rolledBack: number
  kills: number
  stops: number
  passedOver: number
  /** Epochs whose move had no mishap. */
  readonly calm: Set<number>
}

export async function proveMove(moves: number, seed: number): Promise<MoveReport> {
  const folder = mkdtempSync(join(tmpdir(), "leat-move-"))
  try {
    return await Effect.runPromise(proved(folder, moves, seed))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const proved = Effect.fnUntraced(function* (folder: string, moves: number, seed: number) {
  const beginMs = performance.now()
  const told: Told = { moves: 0, aborted: 0, rolledBack: 0, kills: 0, stops: 0, passedOver: 0, calm: new Set() }
  const members: Array<Member> = []
  const ranges: Array<Parameters<typeof readRanges>[1][number]> = []
  for (const name of ["near", "far", "control"]) mkdirSync(join(folder, name))
  const running = Effect.gen(function* () {
    const deadlineMs = aroundMsMax + moves * moveMsMax
    const fleet = yield* movedFleet({ folder, seed: seed * 1000, deadlineMs })
    const mover = new Mover(fleet, folder, seededRandom(seed), told)
    const ending = Effect.sync(() => {
      members.push(...fleet.members)
      ranges.push(...fleet.ranges.values())
    })
    yield* Effect.ensuring(mover.run(moves), ending)
  })
  const exit = yield* Effect.exit(Effect.scoped(running))
  if (Exit.isFailure(exit)) {
    const failed = Cause.squash(exit.cause)
    const violation =
      failed instanceof Error ? (failed instanceof Violation ? failed.message : (failed.stack ?? "")) : String(failed)
    tellErrors(members)
    return { ...reportOf(told, members, undefined, beginMs), violation }
  }
  const found = yield* readRanges(
    folder,
    ranges.toSorted((one, other) => one.epoch - other.epoch)
  )
  const report = reportOf(told, members, found, beginMs)
  if (report.violation !== undefined) tellErrors(members)
  return report
})

/** What the processes have warned of. */
function tellErrors(members: ReadonlyArray<Member>): void {
  for (const { name, child } of members) {
    const warnings = child.errors
      .split(/(?=\[\d\d:\d\d:\d\d)/)
      .filter((line) => line !== "" && !line.includes("] INFO"))
    process.stderr.write(`${name}: ${warnings.join("\n  ")}\n`)
  }
}

function reportOf(told: Told, members: ReadonlyArray<Member>, found: Found | undefined, beginMs: number): MoveReport {
  const { calm, ...counts } = told
  const verdict = judged(members, groups, found ?? { standing: [], late: 0 }, told)
  const lines = members.flatMap((member) => [...linesOf(member)])
  const tookMs = (kind: string) => lines.flatMap((line) => (line[0] === kind ? [Number(line[2])] : []))
  const pauses = found === undefined ? [] : pausesOf(members, groups, found)
  const offersMs = tookMs("offered")
  const { violation: judgedViolation, ...rest } = verdict
  const blocked = offersMs.filter((ms) => ms > offerMsMax).length
  const violation =
    found === undefined
      ? undefined
      : (judgedViolation ?? (blocked > told.stops ? `${blocked} offers took longer than ${offerMsMax} ms` : undefined))
  return {
    ...counts,
    opened: new Set(found?.standing.map(({ epoch }) => epoch)).size,
    ...rest,
    offerMs: spreadOf(offersMs),
    storedMs: spreadOf(tookMs("stored")),
    dispatchMs: spreadOf(pauses.map(({ ms }) => ms)),
    dispatchCalmMs: spreadOf(pauses.flatMap(({ epoch, ms }) => (calm.has(epoch) ? [ms] : []))),
    seconds: Math.round((performance.now() - beginMs) / 1000),
    ...(violation === undefined ? {} : { violation })
  }
}

function spreadOf(all: ReadonlyArray<number>): Spread {
  const sorted = all.toSorted((one, other) => one - other)
  const at = (share: number) =>
    Math.round(10 * (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)) / 10
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

/** Begins moves and mishaps, one after the other. */
class Mover {
  readonly #fleet: MovedFleet
  readonly #folder: string
  readonly #random: () => number
  readonly #told: Told
  #version = 1
  #here = places[0] as Place

  constructor(fleet: MovedFleet, folder: string, random: () => number, told: Told) {
    this.#fleet = fleet
    this.#folder = folder
    this.#random = random
    this.#told = told
  }

  run(moves: number) {
    const fleet = this.#fleet
    return Effect.gen({ self: this }, function* () {
      const document = documentAt(this.#version, this.#here, this.#folder)
      yield* ControlTools.apply(fleet.control, { ...fleet.tool, document })
      for (let index = 0; index < writers; index++) fleet.begin()
      for (const group of groups) for (let index = 0; index < readers; index++) fleet.begin(group)
      yield* fleet.until("all processes are open", stepMsMax, () => fleet.members.every(isOpen))
      yield* Effect.forkScoped(fleet.giveUp)
      for (let index = 0; index < moves; index++) {
        const [mishap, ending] = first[index] ?? [this.#pick(mishaps), this.#pick(endings)]
        this.#say(`move ${index + 1} of ${moves}: ${mishap}, ${ending}`)
        yield* this.#move(index, mishap, ending)
        yield* Effect.sleep(300 + this.#random() * 700)
      }
      yield* this.#end
    })
  }

  #say(sentence: string): void {
    process.stderr.write(`  ${Math.round(performance.now() / 1000)} s: ${sentence}\n`)
  }

  #pick<A>(all: ReadonlyArray<A>): A {
    return all[Math.floor(this.#random() * all.length)] as A
  }

  #move(index: number, mishap: Mishap, ending: Ending) {
    const fleet = this.#fleet
    return Effect.gen({ self: this }, function* () {
      const from = this.#here
      const victim = this.#victim(mishap)
      // Before the move or in it.
      const isBefore = this.#random() < 0.3
      if (isBefore) yield* this.#befall(mishap, victim)
      yield* this.#start(index)
      const before = fleet.placement?.lastEpoch ?? 1
      if (!isBefore) {
        yield* Effect.sleep(this.#random() * 1500)
        yield* this.#befall(mishap, victim)
      }
      if (ending === "aborted") yield* this.#abort(from)
      yield* fleet.until("the stream is written in its place", stepMsMax, () => fleet.isOpened)
      if (ending === "rolledBack") {
        yield* Effect.sleep(this.#random() * 1000)
        yield* this.#rollback(from)
      }
      const last = fleet.placement?.lastEpoch ?? before
      if (mishap === "none") for (let epoch = before; epoch <= last; epoch++) this.#told.calm.add(epoch)
      if (victim?.is === "stopped") {
        // A move back waits for it, or for a person who gives it up.
        if (ending === "aborted") fleet.resume(victim)
        else yield* this.#resumed(victim)
        yield* fleet.until("what it had is swept", stepMsMax, () => fleet.isAtRest)
      }
      yield* fleet.until("the stream is written where it is to be", stepMsMax, () => fleet.isOpened)
    })
  }

  #victim(mishap: Mishap): Member | undefined {
    switch (mishap) {
      case "none":
        return undefined
      case "killWriter":
      case "stopWriter":
        return this.#pick(this.#fleet.living(({ group }) => group === undefined))
      case "killReader":
        return this.#pick(this.#fleet.living(({ group }) => group !== undefined))
      case "killCoordinator":
        return this.#fleet.coordinator
    }
  }

  #befall(mishap: Mishap, victim: Member | undefined) {
    return Effect.sync(() => {
      if (victim === undefined) return
      if (mishap === "stopWriter") {
        this.#told.stops++
        return this.#fleet.stop(victim)
      }
      this.#told.kills++
      this.#fleet.kill(victim)
      // Another one begins, while the stream moves.
      this.#fleet.begin(victim.group)
    })
  }

  /** Waits until it was passed over, or for so long that it would have been. */
  #resumed(victim: Member) {
    const fleet = this.#fleet
    return Effect.gen({ self: this }, function* () {
      const passed = fleet.until("it is passed over", stopMsMax, () => fleet.isPassedOver(victim))
      yield* Effect.matchEffect(passed, {
        // It may have been stopped while it held the lock of a log, and then nobody else can say that it has drained.
        onFailure: () => Effect.sync(() => this.#say(`${victim.name} was not passed over`)),
        onSuccess: () => Effect.sync(() => this.#told.passedOver++)
      })
      yield* Effect.sleep(this.#random() * 1500)
      fleet.resume(victim)
    })
  }

  /** As `leat move start` does; a person who is told why it may not begin yet asks again. */
  #start(index: number) {
    const { control, tool } = this.#fleet
    const others = places.filter((place) => !isSamePlace(place, this.#here))
    const isOther = index % 3 === 2
    const fitting = others.filter(({ partitions }) => (partitions !== this.#here.partitions) === isOther)
    const to = this.#pick(fitting)
    const { stream } = noteContract
    const asked = Effect.suspend(() => {
      const document = documentAt(this.#version + 1, to, this.#folder)
      const reason = `move ${index + 1}`
      return MoveTools.start(control, { ...tool, reason, document, streams: [stream], partitions: to.partitions })
    })
    return Effect.gen({ self: this }, function* () {
      const { version } = yield* this.#asked("a move is begun", asked)
      this.#told.moves++
      this.#version = version
      this.#here = to
    })
  }

  #asked<A>(what: string, asking: Effect.Effect<A, { readonly message: string }>) {
    let why = ""
    return Effect.gen({ self: this }, function* () {
      for (const endMs = performance.now() + stepMsMax; performance.now() < endMs;) {
        const answer = yield* Effect.result(Effect.timeout(asking, "60 seconds"))
        if (answer._tag === "Success") return answer.success
        if (answer.failure.message !== why) this.#say((why = answer.failure.message))
        yield* Effect.sleep("1 second")
      }
      return yield* Effect.fail(new Violation(`not ${what}: ${why}`))
    })
  }

  /** It may be too late. */
  #abort(from: Place) {
    const fleet = this.#fleet
    return Effect.gen({ self: this }, function* () {
      if (this.#random() < 0.5) yield* Effect.sleep(this.#random() * 1000)
      const sealing = () => fleet.isOpened || fleet.placement?.epochs.at(-2)?.phase === "sealing"
      if (this.#random() < 0.3) yield* Effect.ignore(fleet.until("it is being sealed", 5000, sealing))
      const answer = yield* Effect.option(MoveTools.abort(fleet.control, { ...fleet.tool, reason: "it is not needed" }))
      if (Option.isNone(answer)) return this.#say("too late to end it")
      this.#told.aborted++
      this.#version = answer.value.version
      this.#here = from
    })
  }

  #rollback(to: Place) {
    const { control, tool } = this.#fleet
    return Effect.gen({ self: this }, function* () {
      const { version } = yield* this.#asked(
        "it is taken back",
        MoveTools.rollback(control, { ...tool, reason: "it was better" })
      )
      this.#told.moves++
      this.#told.rolledBack++
      this.#version = version
      this.#here = to
    })
  }

  /** All is well again: what moves comes to its end, and is read. */
  get #end() {
    const fleet = this.#fleet
    return Effect.gen({ self: this }, function* () {
      yield* fleet.until("the last move has ended", stepMsMax, () => fleet.isAtRest)
      yield* fleet.until("all processes are open", stepMsMax, () =>
        fleet.members.every((one) => one.is === "killed" || isOpen(one))
      )
      this.#say("all is well")
      yield* this.#closed(fleet.living(({ group }) => group === undefined))
      const isRead = () => groups.every((group) => isHandled(fleet.members, group))
      yield* fleet.until("all is handled", stepMsMax, isRead)
      const isRetired = () => fleet.placement?.epochs.slice(0, -1).every(({ phase }) => phase === "retired") === true
      yield* fleet.until("all epochs are retired", stepMsMax, isRetired)
      yield* this.#closed(fleet.living())
    })
  }

  #closed(members: ReadonlyArray<Member>) {
    for (const member of members) {
      member.is = "ended"
      member.child.signal("SIGTERM")
    }
    return this.#fleet.until("they are closed", stepMsMax, () => members.every(({ exit }) => exit !== undefined))
  }
}

/** Whether a group has handled all that has to be there. */
function isHandled(members: ReadonlyArray<Member>, group: string): boolean {
  const handled = new Set(handledBy(members, group).map(([, text]) => text))
  return members.every((member) => owedOf(member).every((text) => handled.has(text)))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const report = await proveMove(Number(process.argv[2] ?? 6), Number(process.argv[3] ?? 1))
  process.stdout.write(`${JSON.stringify(report)}\n`)
  process.exitCode = report.violation === undefined ? 0 : 3
}
