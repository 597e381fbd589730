import type { Mutant } from "./Mutant.ts"

const sections = "publish/otherSections.test.ts"
const dead = "publish/deadClients.test.ts"
const writer = "routes/SwitchedWriter.test.ts"
const goingOver = "routes/switch/GoingOver.ts"
const renewals = "routes/renewals.test.ts"
const client = "routes/switch/Client.ts"

/** Planted where another client of a cluster takes the place of the one that is open. */
export const switchableMutants: ReadonlyArray<Mutant> = [
  {
    name: "a partition goes over while something of it is on its way",
    file: goingOver,
    find: `this.#writer.onWay(partition).length > 0 || `,
    replace: ``,
    foundBy: sections,
    test: "nothing overtakes"
  },
  {
    name: "a partition goes over although an outcome is unknown",
    file: goingOver,
    find: ` || this.#writer.isInDoubt(partition)) return`,
    replace: `) return`,
    foundBy: sections,
    test: "lateWrite"
  },
  {
    name: "what waits is sent although what it waits for has failed",
    file: goingOver,
    find: `if (!isStored) this.refuse(partition)`,
    replace: `void isStored`,
    foundBy: sections,
    test: "has failed"
  },
  {
    name: "what waits for what has no answer is sent",
    file: goingOver,
    find: `if (onWay.length > 0) this.refuse(partition)`,
    replace: ``,
    foundBy: writer,
    test: "sends nothing that stood behind it"
  },
  {
    name: "what has no answer after its time is never given up",
    file: goingOver,
    find: `: nowMs > this.#sinceMs + waitsMs`,
    replace: `: nowMs < this.#sinceMs - waitsMs`,
    foundBy: writer,
    test: "sends nothing that stood behind it"
  },
  {
    name: "what is held waits for longer than it was given",
    file: goingOver,
    find: `if (waits !== undefined && waits.untilMs <= nowMs) this.#late(held.shift() ?? waits)`,
    replace: ``,
    foundBy: writer,
    test: "within the time"
  },
  {
    name: "what is sent overtakes what is held",
    file: goingOver,
    find: ` && !this.#handing.has(partition)`,
    replace: ``,
    foundBy: writer,
    test: "keeps the order"
  },
  {
    name: "a late fence of the client before ends what is on its way by the next one",
    file: "routes/switch/SwitchedWriter.ts",
    find: `if (opened !== this.at(partition)) return`,
    replace: ``,
    foundBy: writer,
    test: "counts no fence"
  },
  {
    name: "what cannot be fenced stays with a dead client for ever",
    file: goingOver,
    find: `this.#home.nowMs > this.#sinceMs + leaveMs`,
    replace: `this.#home.nowMs < this.#sinceMs - leaveMs`,
    foundBy: dead,
    test: "in bounded time"
  },
  {
    name: "the fence of a dead client is waited for for ever",
    file: "routes/switch/SwitchedWriter.ts",
    find: `if (one.opened === opened && one.partition === partition) Deferred`,
    replace: `if (one.opened === opened && one.partition < 0) Deferred`,
    foundBy: dead,
    test: "never answers"
  },
  {
    name: "a dead client is asked for each topic",
    file: "routes/switch/Candidate.ts",
    find: `this.#isDark = before === undefined`,
    replace: ``,
    foundBy: dead,
    test: "however many topics"
  },
  {
    name: "what a dead client was asked is waited for for ever",
    file: client,
    find: `Deferred.doneUnsafe(this.gone, error)`,
    replace: `undefined`,
    foundBy: dead,
    test: "answers what was asked"
  },
  {
    name: "what is being opened stays with a dead client",
    file: "routes/switch/SwitchableCluster.ts",
    find: `Effect.raceFirst(openedAt(client, topic, own), Deferred.await(client.left))`,
    replace: `Effect.raceFirst(openedAt(client, topic, own), Effect.as(Effect.never, Deferred.await(client.left)))`,
    foundBy: dead,
    test: "answers what was asked"
  },
  {
    name: "the old client is never closed",
    file: client,
    find: `this.#isLeft = true`,
    replace: `this.#isLeft = false`,
    foundBy: sections,
    test: "takes over what is sent and read"
  },
  {
    name: "the old client is closed under those who use it",
    file: client,
    find: `if (this.#users === 0) return this.#closed`,
    replace: `if (this.#isLeft) return this.#closed`,
    foundBy: sections,
    test: "each client is closed once"
  },
  {
    name: "a subscription stays with the old client",
    file: "routes/switch/facadeOf.ts",
    find: `Effect.raceFirst(Deferred.await(client.left), pull)`,
    replace: `pull`,
    foundBy: "publish/sectionsOfMembers.test.ts",
    test: "of a spill"
  },
  {
    name: "another cluster is taken for the one that is open",
    file: "routes/switch/Candidate.ts",
    find: `if (!isThere)`,
    replace: `if (!isThere && count === 0)`,
    foundBy: sections,
    test: "another cluster with the same partitions"
  },
  {
    name: "a client is taken over that has nothing open that was opened since",
    file: "TableSwaps.ts",
    find: `if (open.isComplete(candidate) && !open.isGoingOver) return []`,
    replace: `if (candidate.client !== undefined && !open.isGoingOver) return []`,
    foundBy: sections,
    test: "a leg of its table"
  },
  {
    name: "the next section does not wait for the one before",
    file: "routes/switch/SwitchableCluster.ts",
    find: `return Array.from(this.#writers).some((writer) => writer.isGoingOver)`,
    replace: `return false`,
    foundBy: "publish/otherSections.test.ts",
    test: "comes one after the other"
  },
  {
    name: "a client stays open that does not take over",
    file: "TableSwaps.ts",
    find: `Array.from(this.#candidates.values(), ({ candidate }) => candidate.discard)`,
    replace: `Array.from(this.#candidates.values(), () => Effect.void)`,
    foundBy: sections,
    test: "together or not at all"
  },
  {
    name: "what is being opened stays with the section before",
    file: "routes/switch/OpenClusters.ts",
    find: `if (anew !== undefined) Deferred`,
    replace: `if (anew !== undefined && name === "") Deferred`,
    foundBy: sections,
    test: "a connection hangs"
  },
  {
    name: "references of open clusters are never read again",
    file: "Leat.ts",
    find: `|| !sections.some(hasReferences)) return`,
    replace: `|| sections.some(hasReferences)) return`,
    foundBy: renewals,
    test: "within half a minute"
  },
  {
    name: "references are not looked at with a table",
    file: "TableSwaps.ts",
    find: `.pipe(Effect.tap(() => this.#renewed))`,
    replace: ``,
    foundBy: renewals,
    test: "with each table"
  },
  {
    name: "what references stand for is told where no client can be opened with it",
    file: "routes/switch/Renewals.ts",
    find: `withhold(proven.failure.message, read)`,
    replace: `proven.failure.message + [...read.keys()].join("")`,
    foundBy: renewals,
    test: "are told once where no client"
  },
  {
    name: "each look tells that no client can be opened",
    file: "routes/switch/Renewals.ts",
    find: `if (this.#told.get(name) === why) return Effect.void`,
    replace: ``,
    foundBy: renewals,
    test: "are told once where no client"
  },
  {
    name: "a client that cannot take over stays open",
    file: "routes/switch/Renewals.ts",
    find: `(isIn ? Effect.void : next.candidate.discard)`,
    replace: `(isIn ? Effect.void : Effect.void)`,
    foundBy: renewals,
    test: "stand for another cluster"
  },
  {
    name: "a driver that asks for the values itself gets a second client",
    file: "routes/switch/Renewals.ts",
    find: ` || given.isAsking`,
    replace: ``,
    foundBy: renewals,
    test: "asks for them itself"
  },
  {
    name: "the values of a client that has taken over are those of the one before",
    file: "routes/switch/OpenClusters.ts",
    find: `this.#given.set(name, given)
    this.#open`,
    replace: `this.#open`,
    foundBy: renewals,
    test: "within half a minute"
  },
  {
    name: "what fails in the step in which it is handed over is told not stored first",
    file: "routes/switch/GoingOver.ts",
    find: `for (let one = held.shift(); one !== undefined; one = held.shift()) this.#again(one)`,
    replace: `for (let one = held[0]; one !== undefined; one = held[0]) {
      this.#again(one)
      if (held[0] === one) held.shift()
    }`,
    foundBy: "routes/SwitchedWriter.test.ts",
    test: "answers each once"
  },
  {
    name: "whoever leaves the last partition at a dead client is ended before it tells",
    file: goingOver,
    find: `    this.#home.run(
      Telemetry.warn(`,
    replace: `    void (() =>
      Telemetry.warn(`,
    foundBy: "publish/deadClients.test.ts",
    test: "is told where a partition is left"
  },
  {
    name: "an opening that cannot be interrupted is waited for for ever",
    file: "routes/switch/Candidate.ts",
    find: `yield* leaving(Scope.provide(this.#opening, this.#scope))`,
    replace: `yield* Scope.provide(this.#opening, this.#scope)`,
    foundBy: "publish/otherSections.test.ts",
    test: "where its driver never opens and cannot be interrupted"
  },
  {
    name: "what goes over to a client that has died is stuck for ever",
    file: goingOver,
    find: `if (yield* hasFenced(by, partition)) this.#leave(partition)`,
    replace: `if (this.#isEnded && (yield* hasFenced(by, partition))) this.#leave(partition)`,
    foundBy: "publish/deadClients.test.ts",
    test: "is followed by the next one"
  },
  {
    name: "an answer that makes no sense breaks the callback of its driver",
    file: "routes/switch/SwitchedWriter.ts",
    find: `answeredRuns(runs, this.#from, this.#to)`,
    replace: `runs`,
    foundBy: writer,
    test: "makes no sense for none"
  },
  {
    name: "what the last holder closes is not waited for when all is closed",
    file: "publish/Shared.ts",
    find: `return Effect.andThen(ended, others)`,
    replace: `return Effect.andThen(ended, Effect.andThen(Effect.void, others === undefined ? others : Effect.void))`,
    foundBy: "publish/Shared.test.ts",
    test: "has closed when its scope has"
  },
  {
    name: "a topic that is opened when nobody waits any more stays open",
    file: "routes/switch/SwitchableCluster.ts",
    find: `yield* closed({ scope: own })`,
    replace: `if (Exit.isSuccess(exit)) yield* closed({ scope: own })`,
    foundBy: "routes/SwitchableCluster.test.ts",
    test: "closes a topic that is opened in the moment"
  },
  {
    name: "a subscription that joins again by another client is warned of",
    file: "consume/Source.ts",
    find: `if (!isReplaced)`,
    replace: `if (!isReplaced || joinedAtMs >= 0)`,
    foundBy: "publish/sectionsOfMembers.test.ts",
    test: "of a stream that is read is told once"
  },
  {
    name: "a fallback that is joined again by another client is warned of",
    file: "publish/fallback/Redrive.ts",
    find: ` || error instanceof Replaced`,
    replace: ``,
    foundBy: "publish/sectionsOfMembers.test.ts",
    test: "of a fallback that is sent on is told once"
  },
  {
    name: "a connection that is lost is taken for a client that was replaced",
    file: "transport/Replaced.ts",
    find: `    super({ reason`,
    replace: `    Object.defineProperty(Replaced, Symbol.hasInstance, { value: (one: TransportError) => one.reason === "Disconnected" })
    super({ reason`,
    foundBy: "publish/sectionsOfMembers.test.ts",
    test: "of a stream that is read is told once"
  }
]
