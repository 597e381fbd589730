import { Duration, Effect, type Scope } from "effect"
import { MoveTools } from "leat"
import type { Driver, Transport } from "leat/transport"
import { type ControlStream, openControlStream } from "../../packages/leat/src/control/ControlStream.ts"
import type { Place, Positions } from "../../packages/leat/src/control/ControlRecord.ts"
import { versionAt } from "../../packages/leat/src/control/fleet.ts"
import { endsOf, isSweeping, type Placement } from "../../packages/leat/src/control/Placement.ts"
import { Child } from "../../packages/log/test/support/Child.ts"
import { contract } from "./event.ts"
import { drivers, type Ground, opened } from "./Ground.ts"
import type { Line } from "./Line.ts"
import type { Settings } from "./member.ts"

/** A process of the fleet, or one that was. */
export interface Member {
  readonly child: Pick<Child, "lines" | "errors" | "signal">
  readonly name: string
  /** Of its disk: who comes after one that was killed has the same. */
  readonly slot: number
  /** Undefined: it publishes. */
  readonly group: string | undefined
  is: "running" | "stopped" | "cut" | "killed" | "ended"
  /** Its exit code or the signal that ended it; undefined while it runs. */
  exit: number | NodeJS.Signals | null | undefined
}

/** Where an epoch lies. */
export interface Range {
  readonly epoch: number
  readonly place: Place
  readonly begin: Positions
  /** Undefined: it goes on. */
  readonly end: Positions | undefined
}

/** Something that did not come to its end in time, or ended as it should not. */
export class Violation extends Error {}

/** From one look at the fleet to the next, in milliseconds. */
const lookMs = 100

/** The processes, and what the control stream says of them. */
export class MovedFleet {
  readonly control: Transport
  readonly tool: { readonly author: string; readonly drivers: ReadonlyArray<Driver> }
  readonly members: Array<Member> = []
  /** By number, in the order of their beginning. The control stream itself forgets the oldest. */
  readonly ranges = new Map<number, Range>()
  /** What the person was told when it gave up somebody. */
  readonly refusals = new Map<string, number>()
  readonly #ground: Ground
  readonly #seed: number
  readonly #deadlineMs: number
  readonly #stream: ControlStream

  constructor({ ground, seed, deadlineMs }: FleetOptions, control: Transport, stream: ControlStream) {
    this.#ground = ground
    this.#seed = seed
    this.#deadlineMs = deadlineMs
    this.control = control
    this.#stream = stream
    this.tool = { author: "prove", drivers }
  }

  get placement(): Placement | undefined {
    return this.#stream.control.streams.get(contract.stream)
  }

  /** Of the document that was applied last, as far as that was seen. */
  get version(): number {
    const { control } = this.#stream
    return versionAt(control, control.version)
  }

  /** Begins a process; it is not open yet. `slot`: that of one that has ended. */
  begin(group?: string, slot = this.members.length): Member {
    const { control, disks } = this.#ground
    const name = `${group ?? "w"}-${this.members.length}`
    const settings: Settings = { control, disk: disks === undefined ? undefined : String(slot) }
    const parameters = [JSON.stringify(settings), name, String(this.#seed + this.members.length)]
    const child = new Child(
      new URL("member.ts", import.meta.url),
      group === undefined ? parameters : [...parameters, group],
      this.#deadlineMs
    )
    const member: Member = { child, name, slot, group, is: "running", exit: undefined }
    void child.ended.then((exit) => (member.exit = exit))
    this.members.push(member)
    return member
  }

  living(isOne: (member: Member) => boolean = () => true): ReadonlyArray<Member> {
    return this.members.filter((member) => member.is === "running" && isOpen(member) && isOne(member))
  }

  /** Of those that live, the one that coordinates. */
  get coordinator(): Member | undefined {
    return this.living().toSorted((one, other) => (incarnationOf(one) < incarnationOf(other) ? -1 : 1))[0]
  }

  kill(member: Member): void {
    member.is = "killed"
    member.child.signal("SIGKILL")
  }

  stop(member: Member): void {
    member.is = "stopped"
    member.child.signal("SIGSTOP")
  }

  /** It goes on, without the control stream. */
  cut(member: Member): void {
    member.is = "cut"
    member.child.signal("SIGUSR2")
  }

  resume(member: Member): void {
    member.child.signal(member.is === "cut" ? "SIGUSR2" : "SIGCONT")
    member.is = "running"
  }

  /** Whether a member was passed over by some move and has not said since up to where it wrote. */
  isPassedOver(member: Member): boolean {
    const incarnation = incarnationOf(member)
    return this.placement?.epochs.some(({ over }) => over.has(incarnation)) === true
  }

  /** Whether the stream is written where it is to be, and nobody's part of it is waited for. */
  get isAtRest(): boolean {
    return this.isOpened && this.placement !== undefined && !isSweeping(this.placement)
  }

  get isOpened(): boolean {
    const { newest, source } = this.placement === undefined ? {} : endsOf(this.placement)
    return source === undefined && newest?.phase === "open"
  }

  /** For a sentence that says what was waited for. */
  get described(): string {
    const { epochs = [], writers = new Map() } = this.placement ?? {}
    const told = epochs.map(({ epoch, phase, place, over, drained, handedOver }) => ({
      epoch,
      phase,
      place: `${place.cluster}/${place.topic}`,
      over: Array.from(over),
      drained: [...drained.keys()],
      handedOver: [...handedOver]
    }))
    const members = this.members.map((member) => {
      const { version, refused } = this.#stream.control.members.get(incarnationOf(member)) ?? {}
      return `${member.name} ${incarnationOf(member)} ${member.is} with ${version} ${refused}`
    })
    members.push(`all are to have ${this.#stream.control.version}`)
    return JSON.stringify({ told, writers: Array.from(writers), members, refusals: [...this.refusals] })
  }

  /** Fails with a violation when it is not so in time, or a process has ended by itself. */
  until(what: string, ms: number, is: () => boolean): Effect.Effect<void, Violation> {
    const waiting = Effect.suspend(() => {
      const dead = this.members.find(({ is: how, exit }) => (how === "running" || how === "cut") && exit !== undefined)
      if (dead !== undefined)
        return Effect.fail(new Violation(`${dead.name} has ended with ${dead.exit}: ${dead.child.errors}`))
      return Effect.succeed(is())
    })
    const all = Effect.repeat(Effect.delay(waiting, 50), { until: (isIt: boolean) => isIt })
    return Effect.asVoid(all).pipe(
      Effect.timeoutOrElse({
        duration: ms,
        orElse: () => Effect.fail(new Violation(`within ${ms / 1000} seconds not ${what}: ${this.described}`))
      })
    )
  }

  /** Reads on, until it is interrupted. */
  readonly follow: Effect.Effect<never> = Effect.forever(
    Effect.delay(
      Effect.andThen(
        Effect.suspend(() => this.#stream.look),
        Effect.sync(() => this.#note())
      ),
      lookMs
    )
  )

  /** A person, who knows whom it has killed, and gives them up when a move waits for them. Until it is interrupted. */
  readonly giveUp: Effect.Effect<never> = Effect.forever(
    Effect.delay(
      Effect.suspend(() => {
        const dead = this.members.filter((member) => member.is === "killed" && this.isOwing(member))
        return Effect.forEach(dead, (member) => this.#givenUp(incarnationOf(member)), { discard: true })
      }),
      "1 second"
    )
  )

  isOwing(member: Member): boolean {
    const incarnation = incarnationOf(member)
    const epochs = this.placement?.epochs ?? []
    return epochs.some(({ over }) => over.has(incarnation) && over.get(incarnation) === undefined)
  }

  #givenUp(member: string): Effect.Effect<void> {
    const asked = { ...this.tool, reason: "it was killed", stream: contract.stream, member }
    return Effect.match(Effect.timeout(MoveTools.giveUp(this.control, asked), Duration.seconds(30)), {
      onFailure: ({ message }) => {
        const text = message.replaceAll(/\d+/g, "N").replaceAll(/[0-9a-f]*N[0-9a-fN-]*/g, "N")
        this.refusals.set(text, (this.refusals.get(text) ?? 0) + 1)
      },
      onSuccess: () => undefined
    })
  }

  #note(): void {
    for (const { epoch, place, begin, end } of this.placement?.epochs ?? [])
      if (begin !== undefined) this.ranges.set(epoch, { epoch, place, begin, end })
  }
}

export interface FleetOptions {
  readonly ground: Ground
  readonly seed: number
  /** When processes that are left are killed. */
  readonly deadlineMs: number
}

export const linesOf = ({ child }: Member): ReadonlyArray<Line> => child.lines as ReadonlyArray<Line>

export function isOpen({ child }: Member): boolean {
  return child.lines.length > 0
}

/** Empty: it is not open yet. */
export function incarnationOf(member: Member): string {
  const [first] = linesOf(member)
  return first?.[0] === "open" ? first[1] : ""
}

export const movedFleet = (options: FleetOptions): Effect.Effect<MovedFleet, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const control = yield* opened("control", options.ground.control)
    const stream = yield* openControlStream({
      transport: control,
      topic: "leat-control",
      author: "looks",
      isTool: true
    })
    const fleet = new MovedFleet(options, control, stream)
    yield* Effect.addFinalizer(() => Effect.sync(() => fleet.members.forEach(({ child }) => child.signal("SIGKILL"))))
    yield* Effect.forkScoped(fleet.follow)
    return fleet
  })
