import type { Mutant } from "./Mutant.ts"

const inbox = "consume/inbox.test.ts"
const promises = "promise/inbox.test.ts"

/** Bugs of inboxes: effects that are there twice, or not at all. */
export const inboxMutants: ReadonlyArray<Mutant> = [
  {
    name: "an event whose id is known is handled again",
    file: "consume/onceEach.ts",
    find: `answer[next++] === true`,
    replace: `answer[next++] !== undefined`,
    foundBy: inbox,
    test: "what comes again is counted"
  },
  {
    name: "a batch gets the events that were handled, too",
    file: "consume/onceEach.ts",
    find: `events.filter((_, index) => isNew[index])`,
    replace: `events.filter((_, index) => isNew[index] !== undefined)`,
    foundBy: inbox,
    test: "leaves out"
  },
  {
    name: "an inbox that commits what has failed ends it",
    file: "consume/onceEach.ts",
    find: `if (Exit.isFailure(ended)) return Effect.failCause(ended.cause)`,
    replace: ``,
    foundBy: inbox,
    test: "fails the handler"
  },
  {
    name: "an event is done whose transaction never ran",
    file: "consume/onceEach.ts",
    find: `return Effect.fail(neverRun)`,
    replace: `return Effect.void`,
    foundBy: inbox,
    test: "fails the handler"
  },
  {
    name: "the store's error hides the failure of the handler",
    file: "consume/onceEach.ts",
    find: `ended !== undefined && Exit.isFailure(ended) ? ended.cause : cause`,
    replace: `ended === undefined && Exit.isFailure(Exit.failCause(cause)) ? cause : cause`,
    foundBy: inbox,
    test: "fails the handler"
  },
  {
    name: "of a batch that was rolled back the others are done",
    file: "consume/onceEach.ts",
    find: `infos.length > 1 && Cause`,
    replace: `infos.length < 0 && Cause`,
    foundBy: inbox,
    test: "rolled back as a whole"
  },
  {
    name: "a batch that was rolled back is done",
    file: "consume/InboxVerdict.ts",
    find: `#verdict in told ? told.#verdict : undefined`,
    replace: `#verdict in told ? { copies: 0 } : undefined`,
    foundBy: inbox,
    test: "rolled back as a whole"
  },
  {
    name: "copies are counted as done",
    file: "consume/ReadLane.ts",
    find: `{ ...doneEnd, ...failure }`,
    replace: `{ ...failure, ...doneEnd, copies: 0 }`,
    foundBy: inbox,
    test: "is counted in the ledger"
  },
  {
    name: "copies are not taken back with their lane",
    file: "consume/ReadLane.ts",
    find: `by < 0 ? -copies : copies`,
    replace: `copies`,
    foundBy: "consume/ReadLane.test.ts",
    test: "each from its counter"
  },
  {
    name: "effects are written outside of the transaction of their id",
    file: "consume/sqlInbox.ts",
    find: `transaction: (work) => client.withTransaction(work)`,
    replace: `transaction: (work) => Effect.asVoid(work)`,
    foundBy: inbox,
    test: "rolls back what a handler that fails"
  },
  {
    name: "two ids that are the same are both new",
    file: "consume/sqlInbox.ts",
    find: `kept.delete(id)`,
    replace: `kept.has(id)`,
    foundBy: inbox,
    test: "answers for each id"
  },
  {
    name: "a thousand ids are forgotten at a time, and not the others",
    file: "consume/sqlInbox.ts",
    find: `length < forgottenMax ? Effect.void : forget(forgotten)`,
    replace: `length < 0 ? forget(forgotten) : Effect.void`,
    foundBy: inbox,
    test: "older than its horizon"
  },
  {
    name: "a table that another process has just made ends the start",
    file: "consume/sqlInbox.ts",
    find: `Effect.mapError(look, () => error)`,
    replace: `Effect.andThen(look, Effect.fail(error))`,
    foundBy: inbox,
    test: "beside another process"
  },
  {
    name: "an inbox forgets what it was told a moment ago",
    file: "consume/forgetIds.ts",
    find: `beforeMs: nowMs - horizonMs - waitsMs()`,
    replace: `beforeMs: nowMs - waitsMs()`,
    foundBy: inbox,
    test: "older than its horizon"
  },
  {
    name: "what waits in retry topics uses up the horizon of an inbox",
    file: "consume/forgetIds.ts",
    find: `beforeMs: nowMs - horizonMs - waitsMs()`,
    replace: `beforeMs: nowMs - horizonMs`,
    foundBy: inbox,
    test: "for as long as an event may wait in retry topics besides"
  },
  {
    name: "a promise is run as an effect",
    file: "given/effectTrouble.ts",
    find: `      if (!Effect.isEffect(given)) return Effect.succeed(noEffect(name, given))\n`,
    replace: ``,
    foundBy: inbox,
    test: "is read on where its forget gives a promise"
  },
  {
    name: "what throws when it is looked at ends who has asked for an effect",
    file: "given/effectTrouble.ts",
    find: `      return Effect.succeed(\`\${name} gave \${what}: \${textOf(error)}\`)`,
    replace: `      throw error`,
    foundBy: "given/effectTrouble.test.ts",
    test: "tells what throws when"
  },
  {
    name: "who stops waits without an end for what cannot be interrupted",
    file: "given/effectTrouble.ts",
    find: `Effect.timeoutOption(Fiber.await(fiber), endMs)`,
    replace: `Effect.asSome(Fiber.await(fiber))`,
    foundBy: "given/effectTrouble.test.ts",
    test: "is left after five seconds"
  },
  {
    name: "nobody is told of a forget that was left behind",
    file: "given/effectTrouble.ts",
    find: `Option.isNone(exit) ? left : Effect.void`,
    replace: `Option.isNone(exit) ? Effect.void : Effect.void`,
    foundBy: inbox,
    test: "holds up no stop"
  },
  {
    name: "that an inbox cannot forget is said each time",
    file: "consume/forgetIds.ts",
    find: `why !== undefined && !isTold`,
    replace: `why !== undefined`,
    foundBy: inbox,
    test: "is read on where its forget"
  },
  {
    name: "an inbox with a horizon of ten milliseconds is taken",
    file: "consume/inboxFaults.ts",
    find: `horizonMs >= horizonMsMin`,
    replace: `horizonMs >= 0`,
    foundBy: inbox,
    test: "is refused in one sentence"
  },
  {
    name: "a promise is done before it is committed",
    file: "promise/handled.ts",
    find: `!owner.hasInbox && `,
    replace: ``,
    foundBy: promises,
    test: "when its commit fails"
  },
  {
    name: "what a handler that was told to end has committed is judged as a failure",
    file: "promise/PromiseInbox.ts",
    find: `if (isDone && delivery`,
    replace: `if (!isDone && delivery`,
    foundBy: promises,
    test: "although its handler was told"
  },
  {
    name: "copies that a promise program had are counted as done",
    file: "consume/Handling.ts",
    find: `  if (Exit.isSuccess(exit)) return exit
  if (infos[0]?.hasSucceeded === true) return Exit.void
`,
    replace: `  if (infos[0]?.hasSucceeded === true) return Exit.void
  if (Exit.isSuccess(exit)) return exit
`,
    foundBy: promises,
    test: "counts it as a copy"
  }
]
