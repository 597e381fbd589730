/** Moves the stream of a fleet back and forth, and does harm to it meanwhile. */
import type { KafkaNode } from "@leat/brokers"
import { Effect, Fiber, type Scope } from "effect"
import { ControlTools, MoveTools } from "leat"
import { setTimeout as sleep } from "node:timers/promises"
import type { ClusterConfig } from "leat/transport"
import type { Place } from "../../packages/leat/src/control/ControlRecord.ts"
import { isSamePlace } from "../../packages/leat/src/control/Placement.ts"
import { contract } from "./event.ts"
import { diskOf, documentAt, type Ground, opened, places } from "./Ground.ts"
import { handledBy, owedOf } from "./judge.ts"
import { isOpen, type Member, type MovedFleet, Violation } from "./MovedFleet.ts"

export const groups = ["one", "two"]
/** Processes that publish, and that read in each group. */
const [writers, readers] = [3, 2]

/** How long a step may take, in milliseconds; each has leases of its own within, and the machine is busy. */
const stepMsMax = 180_000
/** How long a process is stopped at least, in milliseconds: longer than the lease, where nobody passes it over before. */
const stopMsMax = 20_000
/** How long a move may stand while a process is stopped that may hold a lock, in milliseconds: some leases, and a busy machine. */
const lockMsMax = 60_000
/** How long a node of a broker is away, in milliseconds. */
const [awayMsMin, awayMsMax] = [500, 4000]

const mishaps = [
  "none",
  "killWriter",
  "stopWriter",
  "cutWriter",
  "killReader",
  "stopReader",
  "killCoordinator",
  "killBroker"
] as const
type Mishap = (typeof mishaps)[number]
type Ending = "opened" | "aborted" | "rolledBack"

/** What the first moves meet, so that each is in a short proof; after that it is drawn. */
const first: ReadonlyArray<readonly [Mishap, Ending]> = [
  ["none", "opened"],
  ["stopWriter", "opened"],
  ["killBroker", "opened"],
  ["stopWriter", "aborted"],
  ["killCoordinator", "opened"],
  ["cutWriter", "opened"],
  ["killReader", "opened"],
  ["killWriter", "rolledBack"],
  ["stopReader", "opened"]
]
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

/** What was done. */
export interface Told {
  /** That were begun, those back included; and those of them that ended before they were sealed. */
  moves: number
  aborted: number
  rolledBack: number
  /** Processes of the fleet, and nodes of brokers. */
  kills: number
  brokerKills: number
  stops: number
  /** From the control stream. */
  cuts: number
  /** Writers that were passed over while they were stopped or cut off. */
  passedOver: number
  /** Epochs whose move had no mishap. */
  readonly calm: Set<number>
}

/** Begins moves and mishaps, one after the other. */
export class Mover {
  readonly #fleet: MovedFleet
  readonly #ground: Ground
  readonly #random: () => number
  readonly #told: Told
  #version = 1
  #here = places[0] as Place

  constructor(fleet: MovedFleet, ground: Ground, random: () => number, told: Told) {
    this.#fleet = fleet
    this.#ground = ground
    this.#random = random
    this.#told = told
  }

  run(moves: number) {
    const fleet = this.#fleet
    return Effect.gen({ self: this }, function* () {
      const document = documentAt(this.#version, this.#here, this.#ground)
      yield* ControlTools.apply(fleet.control, { ...fleet.tool, document })
      for (let index = 0; index < writers; index++) fleet.begin()
      for (const group of groups) for (let index = 0; index < readers; index++) fleet.begin(group)
      yield* fleet.until("all processes are open", stepMsMax, () => fleet.members.every(isOpen))
      yield* Effect.forkScoped(fleet.giveUp)
      const hasBroker = this.#ground.kafkas.length > 0
      const possible = mishaps.filter((one) => hasBroker || one !== "killBroker")
      const begun = first.filter(([one]) => hasBroker || one !== "killBroker")
      for (let index = 0; index < moves; index++) {
        const [mishap, ending] = begun[index] ?? [this.#pick(possible), this.#pick(endings)]
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
      let broker = isBefore ? yield* this.#befall(mishap, victim) : undefined
      yield* this.#start(index)
      const before = fleet.placement?.lastEpoch ?? 1
      if (!isBefore) {
        yield* Effect.sleep(this.#random() * 1500)
        broker = yield* this.#befall(mishap, victim)
      }
      if (ending === "aborted") yield* this.#abort(from)
      if (victim?.is === "stopped") yield* this.#resumedForLock(victim)
      yield* fleet.until("the stream is written in its place", stepMsMax, () => fleet.isOpened)
      if (ending === "rolledBack") {
        yield* Effect.sleep(this.#random() * 1000)
        yield* this.#rollback(from)
      }
      const last = fleet.placement?.lastEpoch ?? before
      if (mishap === "none") for (let epoch = before; epoch <= last; epoch++) this.#told.calm.add(epoch)
      if (broker !== undefined) yield* Fiber.join(broker)
      if (victim?.is === "stopped" || victim?.is === "cut") {
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
      case "killBroker":
        return undefined
      case "killWriter":
      case "stopWriter":
      case "cutWriter":
        return this.#pick(this.#fleet.living(({ group }) => group === undefined))
      case "killReader":
      case "stopReader":
        return this.#pick(this.#fleet.living(({ group }) => group !== undefined))
      case "killCoordinator":
        return this.#fleet.coordinator
    }
  }

  /** Gives what has to come to its end before all is well again. */
  #befall(
    mishap: Mishap,
    victim: Member | undefined
  ): Effect.Effect<Fiber.Fiber<void> | undefined, never, Scope.Scope> {
    if (mishap === "killBroker") {
      this.#told.brokerKills++
      const node = this.#pick(this.#ground.kafkas.flatMap(({ nodes }) => nodes))
      return Effect.forkScoped(this.#away(node, awayMsMin + this.#random() * (awayMsMax - awayMsMin)))
    }
    return Effect.sync(() => {
      if (victim === undefined) return undefined
      if (mishap === "stopWriter" || mishap === "stopReader") {
        this.#told.stops++
        this.#fleet.stop(victim)
      } else if (mishap === "cutWriter") {
        this.#told.cuts++
        this.#fleet.cut(victim)
      } else {
        this.#told.kills++
        this.#fleet.kill(victim)
        // Another one begins, while the stream moves.
        this.#fleet.begin(victim.group, victim.slot)
      }
      return undefined
    })
  }

  #away(node: KafkaNode, ms: number): Effect.Effect<void> {
    return Effect.promise(async () => {
      await node.kill()
      await sleep(ms)
      await node.restart()
      this.#say(`a broker was away for ${Math.round(ms)} ms`)
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

  /** One that was stopped while it held the lock of a log holds up all who use that, and no move gets on before it goes on. */
  #resumedForLock(victim: Member) {
    const fleet = this.#fleet
    const written = fleet.until("the stream is written in its place", lockMsMax, () => fleet.isOpened)
    return Effect.match(written, {
      onFailure: () => {
        this.#say(`nothing gets on while ${victim.name} is stopped`)
        fleet.resume(victim)
      },
      onSuccess: () => undefined
    })
  }

  /** As `leat move start` does; a person who is told why it may not begin yet asks again. */
  #start(index: number) {
    const { control, tool } = this.#fleet
    const others = places.filter((place) => !isSamePlace(place, this.#here))
    const isOther = index % 3 === 2
    const fitting = others.filter(({ partitions }) => (partitions !== this.#here.partitions) === isOther)
    const to = this.#pick(fitting)
    const { stream } = contract
    const asked = Effect.suspend(() => {
      const document = documentAt(this.#version + 1, to, this.#ground)
      const reason = `move ${index + 1}`
      return MoveTools.start(control, {
        ...tool,
        reason,
        document,
        streams: [stream],
        partitions: to.partitions,
        order: this.#ground.order
      })
    })
    return Effect.gen({ self: this }, function* () {
      const version = yield* this.#asked("a move is begun", asked)
      this.#told.moves++
      yield* this.#took(version, to)
    })
  }

  /** What is seen of the fleet before that is of the move before. */
  #took(version: number, place: Place) {
    this.#version = version
    this.#here = place
    return this.#fleet.until(`version ${version} is seen`, stepMsMax, () => this.#fleet.version >= version)
  }

  /** Gives the version that was applied: it may have been although the answer was lost. */
  #asked(what: string, asking: Effect.Effect<{ readonly version: number }, { readonly message: string }>) {
    let why = ""
    return Effect.gen({ self: this }, function* () {
      for (const endMs = performance.now() + stepMsMax; performance.now() < endMs;) {
        const answer = yield* Effect.result(Effect.timeout(asking, "60 seconds"))
        if (answer._tag === "Success") return answer.success.version
        if (answer.failure.message !== why) this.#say((why = answer.failure.message))
        yield* Effect.sleep("1 second")
        if (this.#fleet.version > this.#version) return this.#fleet.version
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
      const asking = MoveTools.abort(fleet.control, { ...fleet.tool, reason: "it is not needed" })
      const why = yield* Effect.match(asking, { onFailure: ({ message }) => message, onSuccess: () => undefined })
      // It may be applied although the answer was lost.
      if (why !== undefined) yield* Effect.sleep("2 seconds")
      if (why !== undefined && fleet.version === this.#version) {
        this.#say(`too late to end it: ${why}`)
        return
      }
      this.#told.aborted++
      yield* this.#took(this.#version + 1, from)
    })
  }

  #rollback(to: Place) {
    const { control, tool } = this.#fleet
    return Effect.gen({ self: this }, function* () {
      const version = yield* this.#asked(
        "it is taken back",
        MoveTools.rollback(control, { ...tool, reason: "it was better" })
      )
      this.#told.moves++
      this.#told.rolledBack++
      yield* this.#took(version, to)
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
      for (const { child } of fleet.living()) child.signal("SIGHUP")
      yield* this.#sentOn
      yield* this.#closed(fleet.living(({ group }) => group === undefined))
      const isRead = () => groups.every((group) => isHandled(fleet.members, group))
      yield* fleet.until("all is handled", stepMsMax, isRead)
      const isRetired = () => fleet.placement?.epochs.slice(0, -1).every(({ phase }) => phase === "retired") === true
      yield* fleet.until("all epochs are retired", stepMsMax, isRetired)
      yield* this.#closed(fleet.living())
    })
  }

  /** Waits until no spill holds anything: who closes leaves what it has to the next process, and there is none. */
  get #sentOn() {
    const { disks } = this.#ground
    const slots = new Set(disks === undefined ? [] : this.#fleet.members.map(({ slot }) => slot))
    const held = Effect.gen(function* () {
      let events = 0
      for (const slot of slots) events += yield* spilledOn(diskOf(disks ?? "", slot))
      return events
    })
    return Effect.gen(function* () {
      for (const endMs = performance.now() + stepMsMax; ; yield* Effect.sleep("1 second")) {
        const events = yield* Effect.orElseSucceed(Effect.scoped(held), () => Number.NaN)
        if (events === 0) return
        if (performance.now() > endMs) return yield* Effect.fail(new Violation(`spills hold ${events} events`))
      }
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

/** Events in the spills of a disk that were not sent on. */
const spilledOn = (disk: ClusterConfig) =>
  Effect.gen(function* () {
    const transport = yield* opened("disk", disk)
    let events = 0
    for (const topic of (yield* transport.topics ?? Effect.succeed([])).filter((one) => one.endsWith(".spill")))
      for (const { end, settled = 0n } of yield* transport.bounds(topic, "leat.spill")) events += Number(end - settled)
    return events
  })

/** Whether a group has handled all that has to be there. */
function isHandled(members: ReadonlyArray<Member>, group: string): boolean {
  const handled = new Set(handledBy(members, group).map(([, text]) => text))
  return members.every((member) => owedOf(member).every((text) => handled.has(text)))
}
