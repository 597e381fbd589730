import type { Mutant } from "./Mutant.ts"

const onDisk = { foundBy: "routes/RoutesFile.test.ts" } as const
const atTheStream = { foundBy: "control/ControlStream.test.ts" } as const
const inAFleet = { foundBy: "control/controlledRoutes.test.ts" } as const

/** Bugs in how documents come from a file or from the control stream of a fleet, found by stories on virtual time. */
export const controlMutants: ReadonlyArray<Mutant> = [
  {
    name: "a process whose first beat was interrupted says no goodbye",
    file: "control/ControlStream.ts",
    find: `this.control.members.has(member) ? Effect.void : Effect.timeoutOption(this.look, sendMsMax)`,
    replace: `Effect.void`,
    foundBy: "control/ControlStream.test.ts",
    test: "says that its process is gone: closed"
  },
  {
    name: "a routes file is taken at the first look",
    file: "routes/RoutesFile.ts",
    find: `        looksLeft = 0
        continue`,
    replace: `        looksLeft = 0`,
    ...onDisk,
    test: "is never taken half"
  },
  {
    name: "a routes file that is refused is told at each try",
    file: "routes/RoutesFile.ts",
    find: `if (sentence === told) return Effect.void`,
    replace: `if (sentence === "") return Effect.void`,
    ...onDisk,
    test: "is refused whole"
  },
  {
    name: "a routes file that is refused is tried at each look",
    file: "routes/RoutesFile.ts",
    find: `looksLeft = pauseLooks`,
    replace: `looksLeft = 0`,
    ...onDisk,
    test: "is tried again where it was refused"
  },
  {
    name: "a driver that throws over a section ends the following of a file",
    file: "routes/RoutesFile.ts",
    find: `Effect.fail(routeError("routes", `,
    replace: `Effect.die(routeError("routes", `,
    ...onDisk,
    test: "is refused where putting it in force throws"
  },
  {
    name: "a control record that was not fenced off is told not written",
    file: "control/ControlStream.ts",
    find: `mayBeStored = !isFenced || Result.isFailure(read)`,
    replace: `mayBeStored = Result.isFailure(read)`,
    ...atTheStream,
    test: "fails with Unreachable when nothing was stored"
  },
  {
    name: "a control record is sent again without a fence",
    file: "control/ControlStream.ts",
    find: `          this.#isUnfenced = this.#options.transport.capabilities.fencing !== "none"
          // Until a fence has returned, it may land at any time.
          const isFenced = yield* this.#fenced(Math.min(leftMs, sendMsMax))`,
    replace: `          const isFenced = true`,
    ...atTheStream,
    test: "says once what it says, over a request that comes late"
  },
  {
    name: "the last copy of a control record says what became of it",
    file: "control/ControlStream.ts",
    find: `this.#back ??= record`,
    replace: `this.#back = record`,
    ...atTheStream,
    test: "goes by the first copy where it reads two at once"
  },
  {
    name: "a control stream that was put back is followed once others have written past its end",
    file: "control/ControlStream.ts",
    find: `if (this.#fold.isAnother(record))`,
    replace: `if (false as boolean)`,
    foundBy: "control/ControlStream.test.ts",
    test: "put back to an older state, and says so: 40"
  },
  {
    name: "nobody is told that the control stream is followed no more",
    file: "control/ControlStream.ts",
    find: `Effect.andThen(Telemetry.warn(warned), Effect.fail(this.#lost))`,
    replace: `Effect.fail(this.#lost)`,
    foundBy: "control/ControlStream.test.ts",
    test: "put back to an older state, and says so: 0"
  },
  {
    name: "a gap in the control stream is passed over",
    file: "control/ControlStream.ts",
    find: `if (isGap && (yield* this.#start) > this.#fold.next)`,
    replace: `if (isGap && this.#lost !== undefined)`,
    ...atTheStream,
    test: "are begun from anew by who is overtaken by a trim"
  },
  {
    name: "a control stream that was put back is followed on",
    file: "control/ControlStream.ts",
    find: `if (bounds === undefined || bounds.end >= next)`,
    replace: `if (bounds === undefined || bounds.end >= 0n)`,
    ...atTheStream,
    test: "is not followed any more when it was put back"
  },
  {
    name: "a snapshot trims what its own readers need",
    file: "control/ControlStream.ts",
    find: `transport.trim(topic, 0, covered)`,
    replace: `transport.trim(topic, 0, next)`,
    ...atTheStream,
    test: "are in parts where they are long"
  },
  {
    name: "a snapshot that is not whole is trimmed behind",
    file: "control/ControlStream.ts",
    find: `this.#fold.covered >= next && transport.trim`,
    replace: `transport.trim`,
    ...atTheStream,
    test: "are trimmed behind only when they were read back whole"
  },
  {
    name: "a process that closes stays among those that live",
    file: "control/ControlStream.ts",
    find: `yield* Effect.addFinalizer(() => stream.goodbye)`,
    replace: ``,
    ...inAFleet,
    test: "are told by no process that is closed"
  },
  {
    name: "who writes a stream is forgotten by its silence",
    file: "control/ControlStream.ts",
    find: `if (!isWriting && records.length`,
    replace: `if (records.length`,
    ...atTheStream,
    test: "forgets who has not beaten for long"
  },
  {
    name: "a snapshot is taken that ends before the beginning",
    file: "control/ControlFold.ts",
    find: `|| BigInt(found.record.upTo) < start`,
    replace: `|| BigInt(found.record.upTo) < 0n`,
    ...atTheStream,
    test: "are of no use when what lies between them"
  },
  {
    name: "what was read twice of the control stream is folded twice",
    file: "control/ControlFold.ts",
    find: `if (position < this.#next) return undefined`,
    replace: `if (position < 0n) return undefined`,
    ...atTheStream,
    test: "keep it short"
  },
  {
    name: "who was overtaken is told that its document is in force",
    file: "control/ControlledRoutes.ts",
    find: `if (!written.counts) {`,
    replace: `if (written.counts === undefined) {`,
    ...inAFleet,
    test: "have one winner"
  },
  {
    name: "a refused document of the fleet is told at each try",
    file: "control/ControlledRoutes.ts",
    find: `return isTold`,
    replace: `return faults === ""`,
    ...inAFleet,
    test: "are refused by the process that cannot have them"
  },
  {
    name: "a refused document of the fleet keeps the next one out",
    file: "control/ControlledRoutes.ts",
    find: `if (table.version === tried && leftMs > 0) continue`,
    replace: `if (tried > 0) continue`,
    ...inAFleet,
    test: "are refused by the process that cannot have them"
  },
  {
    name: "an older document comes back under its own version",
    file: "control/fleet.ts",
    find: `withVersion(found.document, Math.max(above, all.at(-1)?.version ?? 0) + 1)`,
    replace: `withVersion(found.document, version)`,
    foundBy: "control/ControlTools.test.ts",
    test: "go back to an older document"
  },
  {
    name: "another document is taken back than the one that was named",
    file: "control/fleet.ts",
    find: `all.findLast((one) => one.version === version)`,
    replace: `all.find((one) => one.version !== version)`,
    foundBy: "control/ControlTools.test.ts",
    test: "go back to an older document"
  },
  {
    name: "a document is applied to a fleet under a version that was used",
    file: "control/fleet.ts",
    find: `return next > last`,
    replace: `return next >= last`,
    foundBy: "control/ControlTools.test.ts",
    test: "with a version that rises"
  },
  {
    name: "a watcher waits for what was trimmed before it was read",
    file: "control/watch.ts",
    find: `if (!isGap) return fold`,
    replace: `return fold`,
    foundBy: "control/ControlTools.test.ts",
    test: "misses no document"
  },
  {
    name: "a sign of life is news each time",
    file: "control/fleet.ts",
    find: `const isNews = was?.version !== member.version || was.refused !== member.refused`,
    replace: `const isNews = true`,
    foundBy: "control/ControlTools.test.ts",
    test: "each thing that is said"
  },
  {
    name: "the control stream is not opened again",
    file: "routesSource.ts",
    find: `if (Result.isFailure(first)) yield* Effect.forkScoped`,
    replace: `if (Result.isFailure(first) && isOpen()) yield* Effect.forkScoped`,
    ...inAFleet,
    test: "are those that were in force, while the control stream is away"
  },
  {
    name: "what is trimmed while a control stream is opened was never there",
    file: "control/ControlStream.ts",
    find: `if (now <= start) break`,
    replace: `if (now >= 0n) break`,
    foundBy: "control/ControlStream.test.ts",
    test: "while it is trimmed for the first time"
  },
  {
    name: "a control stream is written to although its fence has failed",
    file: "control/ControlStream.ts",
    find: `if (this.#isUnfenced && !(yield* this.#fenced(Math.min(leftMs, sendMsMax)))) {`,
    replace: `if (leftMs < 0) {`,
    foundBy: "control/ControlStream.test.ts",
    test: "fences before it sends anything more"
  },
  {
    name: "a look says that beats are written",
    file: "control/ControlStream.ts",
    find: `return this.#trouble ?? this.#beatTrouble`,
    replace: `return this.#trouble`,
    foundBy: "control/ControlStream.test.ts",
    test: "says why nothing can be written there"
  },
  {
    name: "a beat does not say why a document is refused",
    file: "control/ControlStream.ts",
    find: `refused: shortened(why())`,
    replace: `refused: shortened(why().slice(0, 0))`,
    foundBy: "control/controlledRoutes.test.ts",
    test: "are refused by the process that cannot have them"
  },
  {
    name: "why a document is refused is said with the next beat",
    file: "control/ControlledRoutes.ts",
    find: `          this.#beat
        )`,
    replace: `          Effect.void
        )`,
    foundBy: "control/controlledRoutes.test.ts",
    test: "are refused by the process that cannot have them"
  },
  {
    name: "the first beat is written before it is known what is applied",
    file: "control/ControlStream.ts",
    find: `  options.begin?.(stream)
`,
    replace: `  if (options.isTool !== true) yield* stream.beat
  options.begin?.(stream)
`,
    foundBy: "control/controlledRoutes.test.ts",
    test: "are in force in a process from its first beat on"
  }
]
